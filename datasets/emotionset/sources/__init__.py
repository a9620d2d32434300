"""The sources of EmotionSet by name. A further one is a file beside these and a line in `_ALL`."""

from datasets.emotionset.source import Source
from datasets.emotionset.sources.ck_plus import CkPlus
from datasets.emotionset.sources.fer2013 import Fer2013
from datasets.emotionset.sources.jaffe import Jaffe
from datasets.emotionset.sources.mmi import Mmi

_ALL: tuple[type[Source], ...] = (Jaffe, CkPlus, Fer2013, Mmi)

SOURCES: dict[str, type[Source]] = {source.name: source for source in _ALL}

__all__ = ["SOURCES", "CkPlus", "Fer2013", "Jaffe", "Mmi"]
