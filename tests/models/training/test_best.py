import torch

from endcap.models.training.best import Best


def test_the_best_pass_is_kept_whatever_comes_after_it():
    module = torch.nn.Linear(1, 1, bias=False)
    best = Best.of(module)
    assert not best.is_there
    found = []
    for loss, weight in ((2.0, 10.0), (1.0, 20.0), (1.5, 30.0), (1.0, 40.0)):
        with torch.no_grad():
            module.weight.fill_(weight)
        best.take(loss, module)
        found.append((float(best.state["weight"]), best.passes_since))
    assert found == [(10, 0), (20, 0), (20, 1), (20, 2)]
