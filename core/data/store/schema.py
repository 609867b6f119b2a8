"""The tables of `project.db`, and how an older file is brought up to date.

`PRAGMA user_version` counts the migrations a file has had; each entry of `MIGRATIONS` is applied
once, in its own transaction, and is never edited after a release.
"""

from __future__ import annotations

import sqlite3

from core.common.errors import ProjectError

APPLICATION_ID = 0x4261746D  # "Batm": tells our files from any other SQLite file.

_V1 = """
CREATE TABLE project(
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- AUTOINCREMENT where an undone row may come back: its number must not be given to another.
CREATE TABLE imports(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    origin TEXT NOT NULL,
    at TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '{}',
    active INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE classes(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    supercategory TEXT
);

-- A label is a class name as one import had it. Annotations refer to labels and labels to
-- classes, so that merging or renaming touches a handful of rows however many annotations there
-- are, and what a data set called a thing is never forgotten. No class: its annotations are
-- hidden. `annotations` and `images` count what is not deleted.
CREATE TABLE labels(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    import_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    class_id INTEGER,
    annotations INTEGER NOT NULL DEFAULT 0,
    images INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX labels_by_import ON labels(import_id);
CREATE INDEX labels_by_class ON labels(class_id);

CREATE TABLE images(
    id INTEGER PRIMARY KEY,
    import_id INTEGER NOT NULL,
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    split TEXT CHECK(split IN ('train', 'valid', 'test')),
    grp TEXT,
    time REAL,
    deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX images_seen ON images(import_id, split) WHERE deleted = 0;

CREATE TABLE annotations(
    id INTEGER PRIMARY KEY,
    image_id INTEGER NOT NULL,
    label_id INTEGER NOT NULL,
    x REAL NOT NULL,
    y REAL NOT NULL,
    w REAL NOT NULL,
    h REAL NOT NULL,
    iscrowd INTEGER NOT NULL DEFAULT 0,
    segmentation TEXT,
    deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX annotations_by_image ON annotations(image_id);
CREATE INDEX annotations_by_label ON annotations(label_id, image_id) WHERE deleted = 0;

CREATE TABLE history(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    who TEXT NOT NULL,
    kind TEXT NOT NULL,
    summary TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '{}',
    undone INTEGER NOT NULL DEFAULT 0
);

-- `columns` names what changed; `before` and `after` are JSON lists of rows of those columns in
-- the order of `ids`. An insertion has no before, a deletion no after.
CREATE TABLE history_changes(
    history_id INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    tbl TEXT NOT NULL,
    columns TEXT NOT NULL,
    ids TEXT NOT NULL,
    before TEXT,
    after TEXT,
    PRIMARY KEY(history_id, seq)
) WITHOUT ROWID;

CREATE VIEW v_images AS
    SELECT images.* FROM images JOIN imports ON imports.id = images.import_id
    WHERE imports.active = 1 AND images.deleted = 0;

CREATE VIEW v_annotations AS
    SELECT annotations.id, annotations.image_id, annotations.label_id,
           annotations.x, annotations.y, annotations.w, annotations.h,
           annotations.iscrowd, annotations.segmentation,
           labels.class_id, classes.name AS class_name, labels.import_id
    FROM annotations
    JOIN labels ON labels.id = annotations.label_id
    JOIN classes ON classes.id = labels.class_id
    JOIN imports ON imports.id = labels.import_id
    WHERE annotations.deleted = 0 AND imports.active = 1;
"""

# What else a source said of an image or an annotation, as JSON, for exports back to its format.
_V2 = """
ALTER TABLE images ADD COLUMN extra TEXT;
ALTER TABLE annotations ADD COLUMN extra TEXT;
"""

# The area in pixels as a data set gave it, where that is not its box's. None: that of its shape, or
# else of its box.
_V3 = """
ALTER TABLE annotations ADD COLUMN area REAL;
DROP VIEW v_annotations;
CREATE VIEW v_annotations AS
    SELECT annotations.id, annotations.image_id, annotations.label_id,
           annotations.x, annotations.y, annotations.w, annotations.h,
           annotations.iscrowd, annotations.segmentation, annotations.area,
           labels.class_id, classes.name AS class_name, labels.import_id
    FROM annotations
    JOIN labels ON labels.id = annotations.label_id
    JOIN classes ON classes.id = labels.class_id
    JOIN imports ON imports.id = labels.import_id
    WHERE annotations.deleted = 0 AND imports.active = 1;
"""

# Labelling: who made an annotation, and whether a picture was looked at. What models propose lies
# in tables of its own, so that nothing unreviewed is counted, trained on or exported.
_V4 = """
-- NULL: as an import had it. Else 'person', 'model' (accepted; `model` names it, `score` is what it
-- gave) or 'interpolation'. `edited`: a person changed the box or the class afterwards.
ALTER TABLE annotations ADD COLUMN source TEXT;
ALTER TABLE annotations ADD COLUMN model TEXT;
ALTER TABLE annotations ADD COLUMN score REAL;
ALTER TABLE annotations ADD COLUMN edited INTEGER NOT NULL DEFAULT 0;
ALTER TABLE annotations ADD COLUMN track INTEGER;
-- NULL: nobody looked. A picture that is done and has no boxes shows nothing.
ALTER TABLE images ADD COLUMN review TEXT CHECK(review IN ('done', 'later'));
ALTER TABLE images ADD COLUMN reviewed_at TEXT;
ALTER TABLE images ADD COLUMN reviewed_by TEXT;
CREATE INDEX images_reviewed ON images(review) WHERE review IS NOT NULL;
-- JSON: what labellers are asked for (core.data.labels.prompts).
ALTER TABLE classes ADD COLUMN prompts TEXT;

-- One run of one labeller. As an import's, its other rows are written in bulk and are seen only
-- with this one, which is what undo takes back.
CREATE TABLE passes(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    who TEXT NOT NULL,
    labeller TEXT NOT NULL,
    model TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '{}',
    active INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE pass_images(
    pass_id INTEGER NOT NULL,
    image_id INTEGER NOT NULL,
    PRIMARY KEY(pass_id, image_id)
) WITHOUT ROWID;
CREATE INDEX passes_of_image ON pass_images(image_id, pass_id);
CREATE TABLE suggestions(
    id INTEGER PRIMARY KEY,
    pass_id INTEGER NOT NULL,
    image_id INTEGER NOT NULL,
    class_id INTEGER NOT NULL,
    x REAL NOT NULL,
    y REAL NOT NULL,
    w REAL NOT NULL,
    h REAL NOT NULL,
    score REAL NOT NULL,
    track INTEGER,
    state TEXT NOT NULL DEFAULT 'open' CHECK(state IN
        ('open', 'accepted', 'rejected', 'agrees', 'repeated', 'superseded')),
    annotation_id INTEGER
);
CREATE INDEX suggestions_by_image ON suggestions(image_id);
CREATE INDEX suggestions_by_pass ON suggestions(pass_id);
CREATE INDEX suggestions_open ON suggestions(class_id, score, image_id) WHERE state = 'open';

-- One object through the pictures of a video (`images.grp`).
CREATE TABLE tracks(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    grp TEXT NOT NULL,
    class_id INTEGER,
    approved INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX tracks_by_video ON tracks(grp);
CREATE INDEX annotations_by_track ON annotations(track) WHERE track IS NOT NULL;

-- Requests that were done, so that one repeated after a lost answer is not done twice.
CREATE TABLE edit_keys(
    key TEXT PRIMARY KEY,
    history_id INTEGER NOT NULL,
    answer TEXT NOT NULL
) WITHOUT ROWID;

-- Every change first looks for what was undone.
CREATE INDEX history_undone ON history(id) WHERE undone = 1;

CREATE VIEW v_suggestions AS
    SELECT suggestions.*, classes.name AS class_name, passes.labeller, passes.model
    FROM suggestions
    JOIN passes ON passes.id = suggestions.pass_id
    JOIN classes ON classes.id = suggestions.class_id
    JOIN images ON images.id = suggestions.image_id
    JOIN imports ON imports.id = images.import_id
    WHERE passes.active = 1 AND images.deleted = 0 AND imports.active = 1;

DROP VIEW v_annotations;
CREATE VIEW v_annotations AS
    SELECT annotations.id, annotations.image_id, annotations.label_id,
           annotations.x, annotations.y, annotations.w, annotations.h,
           annotations.iscrowd, annotations.segmentation, annotations.area,
           annotations.source, annotations.model, annotations.score, annotations.edited,
           annotations.track, labels.class_id, classes.name AS class_name, labels.import_id
    FROM annotations
    JOIN labels ON labels.id = annotations.label_id
    JOIN classes ON classes.id = labels.class_id
    JOIN imports ON imports.id = labels.import_id
    WHERE annotations.deleted = 0 AND imports.active = 1;
"""

# Names for states of the project: the number of the newest change that stood (0: none had been
# made). No part of the history, so that undoing does not take a name away.
_V5 = """
CREATE TABLE versions(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    note TEXT NOT NULL DEFAULT '',
    at TEXT NOT NULL,
    who TEXT NOT NULL,
    state INTEGER NOT NULL
);
"""

MIGRATIONS: list[str] = [_V1, _V2, _V3, _V4, _V5]


def version(db: sqlite3.Connection) -> int:
    """Return how many migrations the file has had."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def migrate(db: sqlite3.Connection) -> None:
    """Bring the file to the newest schema; each migration is one transaction.

    Raises `ProjectError` for a file that a newer Batman made.
    """
    have = version(db)
    if have > len(MIGRATIONS):
        raise ProjectError(
            f"The project was made by a newer Batman (schema {have}, here {len(MIGRATIONS)}).",
            "Update Batman, or open it where it was made.",
        )
    for number in range(have, len(MIGRATIONS)):
        db.executescript(
            f"BEGIN IMMEDIATE; {MIGRATIONS[number]}"
            f"; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number + 1};"
            "COMMIT;"
        )
