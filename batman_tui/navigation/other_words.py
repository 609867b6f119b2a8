"""What people type for what is called otherwise here: words of other programs and of the trade."""

from __future__ import annotations

_BRING_IN = (
    "coco yolo voc pascal cvat roboflow ultralytics labelme kitti csv zip dataset data set video"
    " frames pictures photos folder upload download open load add bring in"
)
_WRITE = "coco yolo voc pascal csv dataset save convert write download"
_TRAIN = (
    "fit learn finetune fine-tune training start run epochs epoch learning rate lr batch size"
    " patience model weights pretrained rf-detr rfdetr gpu tensorboard wandb mlflow"
)
_CLUSTER = "slurm sbatch squeue hpc gpu gpus queue partition scheduler remote ssh nodes"
_STOP = "cancel abort kill end halt pause interrupt"
_RESUME = "continue go on restart checkpoint"
_MEASURED = (
    "map map50 ap precision recall f1 metrics accuracy score confusion matrix test validate"
    " validation results"
)
_LOOK = "infer inference predict prediction detect detections test video webcam track"
_MODEL_OUT = (
    "onnx openvino tensorrt tflite litert coreml executorch deploy weights checkpoint download save"
)
_DRAW = "annotate annotation annotations labels box boxes bbox bounding draw labelling correct"
_PROPOSE = "auto annotate sam sam3 owl owlv2 grounding dino prelabel assist pseudo labels model"
_WRONG = "errors problems quality duplicates validate clean missing corrupt lint health"
_COUNTS = "statistics stats histogram distribution plots counts imbalance sizes heat map heatmap"
_STATES = "version snapshot tag commit git history state revert"
_GONE = "remove drop trash rm"
_BACK = "back revert take back history"
_FIND = "search find grep where"
_CURVES = "curves curve loss map mAP tensorboard plot chart graph metrics learning rate lr"

OTHER_WORDS: dict[str, str] = {
    "app.help": "keys shortcuts manual docs keyboard bindings cheat sheet",
    "app.go": "goto jump open find",
    "app.theme": "theme colours colors night day",
    "app.settings": "preferences options config configuration notifications bell desktop keys",
    "app.quit": "exit leave close bye",
    "app.projects": "datasets data",
    "app.runs": f"training experiments {_CURVES}",
    "app.jobs": _CLUSTER,
    "view projects": "datasets data sets home start",
    "view runs": f"training experiments trainings {_CURVES}",
    "view jobs": _CLUSTER,
    "projects.import": _BRING_IN,
    "classes.import": _BRING_IN,
    "projects.export": _WRITE,
    "classes.export": _WRITE,
    "projects.train": _TRAIN,
    "classes.train": _TRAIN,
    "projects.label": _DRAW,
    "classes.label": _DRAW,
    "images.label": _DRAW,
    "projects.images": "pictures photos frames browse gallery view",
    "classes.images": "pictures photos frames browse gallery view",
    "projects.check": _WRONG,
    "classes.check": _WRONG,
    "projects.data": _COUNTS,
    "classes.data": _COUNTS,
    "projects.versions": _STATES,
    "classes.versions": _STATES,
    "projects.new": "create add project",
    "projects.delete": _GONE,
    "projects.filter": _FIND,
    "projects.imports": "sources origin provenance",
    "classes.merge": "join combine unify same duplicates",
    "classes.rename": "name change names",
    "classes.delete": _GONE,
    "classes.suggest": "duplicates similar alike typos spelling same",
    "classes.convention": "lowercase snake case underscores rename all",
    "classes.undo": _BACK,
    "classes.redo": "again forward",
    "classes.splits": "train valid test val",
    "images.split": "train valid test val validation divide",
    "images.delete": _GONE,
    "images.undo": _BACK,
    "images.filter": _FIND,
    "picture.grid": "gallery overview",
    "label.autolabel": _PROPOSE,
    "boxes.undo": _BACK,
    "versions.new": "snapshot tag commit save state",
    "versions.back": "revert restore checkout",
    "train.start": _TRAIN,
    "train.cluster": f"submit {_CLUSTER}",
    "train.model": "size nano small medium large base tiny weights",
    "train.advanced": "options seed workers precision schedule splits tensorboard wandb mlflow",
    "train.augmentation": "augmentation flip crop rotate albumentations mosaic",
    "train.sweep": "grid search hyperparameters tune tuning hpo optuna",
    "train.measure": "estimate how long time memory benchmark probe eta",
    "train.command": "shell cli script terminal command line",
    "runs.open": _CURVES,
    "runs.stop": _STOP,
    "run.stop": _STOP,
    "runs.resume": _RESUME,
    "run.resume": _RESUME,
    "runs.evaluate": _MEASURED,
    "run.evaluate": _MEASURED,
    "runs.look": _LOOK,
    "run.look": _LOOK,
    "runs.export": _MODEL_OUT,
    "run.export": _MODEL_OUT,
    "runs.compare": "diff versus side by side",
    "runs.delete": _GONE,
    "runs.filter": _FIND,
    "run.measure": f"{_CURVES} speed memory gpu",
    "run.search": "log output find errors",
    "jobs.cancel": f"scancel {_STOP} delete",
    "jobs.log": "output slurm.out stdout",
    "jobs.new": f"{_CLUSTER} login server host",
    "jobs.about": "sinfo gpus nodes partitions profile",
    "jobs.usage": "gpu utilisation utilization memory nvidia-smi sstat",
    "jobs.clone": "resubmit again sbatch",
    "jobs.requeue": "restart again scontrol",
    "jobs.shell": "ssh srun bash node",
    "jobs.script": "sbatch",
    "setting notify": "notifications bell desktop sound message",
    "setting pictures": "kitty sixel images graphics",
    "setting keys": "shortcuts bindings remap",
}
"""Of an action, a view or a setting."""

DRAW_SPLITS = "split train valid test val validation shares divide random shuffle seed"
"""Of the drawing of splits, which is an answer in a dialog and no action."""
