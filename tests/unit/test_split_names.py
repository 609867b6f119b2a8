"""What data sets call their splits."""

from __future__ import annotations

import pytest

from core.data.importers.split_names import split_named, split_of

NAMED = {
    "train": ["train", "Train", "TRAIN", " train ", "training", "Training", "trainval", "train_val",
              "TrainVal", "train2017", "trainset", "train_set", "training-set", "TrainImages",
              "train_images", "images_train", "obj_train_data", "obj_Train_data", "train_1",
              "trainval2012", "train dataset"],
    "valid": ["val", "Val", "VAL", "valid", "Validation", "validation", "dev", "eval", "val2017",
              "obj_Validation_data", "validation_set", "minival2014", "VALIDATION", "ValSet"],
    "test": ["test", "Test", "TEST", "testing", "Testing", "test2017", "test-dev2017", "test_set",
             "testImages", "test_annotations"],
    None: ["", "default", "holdout", "2017", "station", "attest", "trainer", "latest", "test_track",
           "train-station", "validity", "contest", "images", "data", "fold1", "évaluer", "t" * 300,
           "train" * 60],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "split"), [(name, split) for split, names in NAMED.items() for name in names]
)
def test_a_split_is_told_by_its_name(name: str, split: str | None) -> None:
    assert split_named(name) == split


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("instances_val2017", "valid"),
        ("lvis_v1_train", "train"),
        ("person_keypoints_Test", "test"),
        ("trainval35k", "train"),
        ("day_train_3", "train"),
        ("stationary", None),
        ("result", None),
    ],
)
def test_a_name_may_speak_of_a_split(name: str, split: str | None) -> None:
    assert split_of(name) == split
