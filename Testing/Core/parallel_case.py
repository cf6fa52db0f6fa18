"""What `test_parallel_training` runs in two processes: ``torchrun parallel_case.py LABELS OUT``."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn
from vertebra_core.command_line import main
from vertebra_core.program import leave
from vertebra_core.training.label_arguments import LabelledData
from vertebra_core.training.loop import Trainer
from vertebra_core.training.parallel import Processes
from vertebra_core.training.stopping import TrainingStopped
from vertebra_core.training.task import TrainingConfig
from vertebra_core.training.train_all import TrainAllConfig, train_all
from vertebra_core.training.train_segmentation import SegmentationConfig, SegmentationTask

CROP = (16, 32, 32)


def trainer(labels: Path, out: Path, steps: int = 4, **changes) -> Trainer:
    training = TrainingConfig(
        out=out,
        steps=steps,
        validation_samples=1,
        validate_every=0,
        log_every=1,
        warmup_steps=1,
        replay_size=4,
        tensorboard=False,
        keep_memory=False,
        device="cpu",
        **changes,
    )
    data = LabelledData((labels,), cache=out.parent / "cache")
    config = SegmentationConfig(training, None, data, CROP, (8, 16))
    return Trainer(SegmentationTask(config), training)


def averaged(processes: Processes) -> dict[str, object]:
    """Average gradients that are known, one of them in the first process alone."""
    network = nn.Linear(2, 1)
    nn.init.zeros_(network.weight)
    network.weight.grad = torch.full((1, 2), 1.0 + processes.rank)
    network.bias.grad = torch.ones(1) if processes.rank == 0 else None
    sound = processes.average_gradients(network, True)
    return {
        "weight": network.weight.grad.tolist(),
        "bias": network.bias.grad.tolist(),
        "sound": sound,
        "one_unsound": processes.average_gradients(network, processes.rank == 0),
    }


def stopped_by_the_second(labels: Path, out: Path) -> int:
    """Train until the second process alone is told to stop; return the step reached."""
    run = trainer(labels, out)
    take_step = run._train_step

    def take_step_and_stop():
        parts = take_step()
        if run.step == 2 and run.processes.rank == 1:
            run.stop()
        return parts

    run._train_step = take_step_and_stop
    with suppress(TrainingStopped):
        run.run()
        raise RuntimeError("it was not stopped")
    return run.step


def weights_of(run: Trainer) -> str:
    """Say in one number what the weights of this process are."""
    return repr(sum(float(p.detach().double().abs().sum()) for p in run.network.parameters()))


if __name__ == "__main__":
    labels, out = Path(sys.argv[1]), Path(sys.argv[2])
    processes = Processes("cpu")
    said: dict[str, object] = {"count": processes.count, **averaged(processes)}
    whole = trainer(labels, out / "whole")
    said["figures"] = whole.run()
    said["weights"] = weights_of(whole)
    said["names"] = [key.seed for key in whole.plan.buffer]
    said["draws"] = [k.generator(whole.plan.seed).random() for k in whole.plan.buffer]
    said["stopped_at"] = stopped_by_the_second(labels, out / "parts")
    trainer(labels, out / "parts", resume=True).run()
    small = {"block": (16, 16, 16), "crop": CROP, "validation_samples": 1, "device": "cpu"}
    data = LabelledData((labels,))
    said["all"] = train_all(TrainAllConfig(out / "all", labels=data, steps=1, options=small))
    (out / f"rank{processes.rank}.json").write_text(json.dumps(said))
    words = "train segmentation --steps 1 --crop 16 32 32 --validation-samples 1 --device cpu"
    words = [*words.split(), "--labels", str(labels), "--out", str(out / "command")]
    # As the program ends: taking PyTorch apart aborts such a process now and then.
    leave(main([*words, "--label-cache", str(out / "cache")]))
