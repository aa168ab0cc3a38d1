import json

import numpy as np
import pytest

from endcap.core.errors import BundleError, Code
from endcap.serving.bundle import open_bundle


def test_a_bundle_opens_with_all_its_parts(shop, letters):
    bundle = shop.opened(histories={"a" * 32: "AB"})
    assert bundle.version.startswith("2026-09-19-")
    assert sorted(bundle.models) == ["item_markov", "popular", "two_tower"]
    assert sorted(bundle.indexes) == sorted(bundle.towers) == ["two_tower"]
    assert sorted(bundle.speakers) == ["item_markov"]
    assert bundle.recall == {"two_tower": 1.0}
    assert letters(bundle.histories.history("a" * 32).items) == "AB"
    assert letters(bundle.popular) == "ABDFCGHE"


def test_a_bundle_of_an_earlier_version_tells_items_alone(shop, letters):
    found = shop.opened(histories={"a" * 32: "AB"}, tells_instants=False).histories.history("a" * 32)
    assert (letters(found.items), found.events.tolist(), found.at_us) == ("AB", [0, 0], None)


FILES = [
    "items.arrow", "histories/items.npy", "histories/at_us.npy", "index/two_tower/flat.faiss",
    "models/popular/scorer.json", "manifest.json",
]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("fault", ["missing", "one bit", "cut"])
def test_a_damaged_file_is_found_before_anything_is_answered(shop, name, fault):
    folder = shop.bundles / shop.bundle()
    path, content = folder / name, (folder / name).read_bytes()
    if fault == "missing":
        path.unlink()
    else:
        at = len(content) // 2
        path.write_bytes(content[:at] + (bytes([content[at] ^ 1]) + content[at + 1 :] if fault == "one bit" else b""))
    with pytest.raises(BundleError) as caught:
        open_bundle(folder, shop.load_scorer)
    assert caught.value.code in {Code.BUNDLE_DAMAGED, Code.BUNDLE_MISSING}
    assert caught.value.fix


def rewrite(folder, **changes):
    """Change the manifest and forget the digests, as if the bundle had been made so."""
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"files": {}, "content_digest": ""} | changes))


def test_parts_about_other_items_are_refused(shop):
    folder = shop.bundles / shop.bundle()
    rewrite(folder, num_items=9)
    with pytest.raises(BundleError, match="about 8 items, the manifest about 9"):
        open_bundle(folder, shop.load_scorer)


def test_an_index_beside_a_model_without_vectors_is_refused(shop):
    folder = shop.bundles / shop.bundle()
    models = [{"name": "popular", "kind": "popular", "version": "", "vectors": True}]
    rewrite(folder, models=models)
    (folder / "index" / "two_tower").rename(folder / "index" / "popular")
    with pytest.raises(BundleError, match="has no vectors"):
        open_bundle(folder, shop.load_scorer)


def test_a_model_that_scores_nothing_is_refused(shop, monkeypatch):
    folder = shop.bundles / shop.bundle()

    def load(path):
        model = shop.load_scorer(path)
        if path.name == "two_tower":
            monkeypatch.setattr(type(model), "score", lambda _self, _queries: np.full((1, 8), np.nan, np.float32))
        return model

    with pytest.raises(BundleError, match="'two_tower' scores nothing"):
        open_bundle(folder, load)


def test_a_report_that_is_no_report_is_refused(shop):
    folder = shop.bundles / shop.bundle()
    rewrite(folder)
    (folder / "index" / "two_tower" / "report.json").write_text("{}")
    with pytest.raises(BundleError, match="cannot be used"):
        open_bundle(folder, shop.load_scorer)
