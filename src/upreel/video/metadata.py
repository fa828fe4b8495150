"""Which tags of a file and of its streams are worth carrying, in the words of another container."""

from __future__ import annotations

import re
from collections.abc import Mapping

# What a muxer writes about its own work; it would be wrong of the new file.
_OF_THE_FILE = re.compile(
    r"major_brand|minor_version|compatible_brands|encoder|encoded_by_muxer|duration|vendor_id|"
    r"(_statistics|bps|number_of_|source_id)[\w-]*",
    re.IGNORECASE,
)
_DEFAULT_HANDLERS = {"VideoHandler", "SoundHandler", "SubtitleHandler", "DataHandler"}
# The tags of iTunes, which every player of mp4 reads.
_ITUNES = frozenset(
    {
        "title", "artist", "album_artist", "composer", "album", "date", "comment", "genre",
        "copyright", "grouping", "lyrics", "description", "synopsis", "show", "episode_id",
        "network", "keywords", "episode_sort", "season_number", "media_type", "hd_video",
        "gapless_playback", "compilation", "track", "disc", "tmpo", "location", "creation_time",
    }
)  # fmt: skip
# The languages that QuickTime has a number for, in FFmpeg's words.
_QUICKTIME_LANGUAGES = frozenset(
    {
        "alb", "amh", "ara", "arm", "asm", "aym", "aze", "baq", "bel", "ben", "bul", "bur",
        "cat", "ces", "chi", "dan", "dut", "dzo", "eng", "epo", "est", "fin", "fra", "geo",
        "ger", "gre", "grn", "guj", "heb", "hin", "hun", "ice", "ind", "iri", "ita", "jav",
        "jpn", "kan", "kas", "kaz", "khm", "kin", "kir", "kor", "kur", "lao", "lat", "lav",
        "lit", "mac", "mal", "mar", "may", "mlg", "mlt", "mol", "mon", "nep", "nor", "nya",
        "ori", "orm", "per", "pol", "por", "pus", "que", "ron", "run", "rus", "san", "sin",
        "slk", "slv", "smi", "snd", "som", "spa", "sve", "swa", "tam", "tat", "tel", "tgk",
        "tgl", "tha", "tib", "tir", "tuk", "tur", "uig", "ukr", "urd", "uzb", "vie", "wel",
        "yid",
    }
)  # fmt: skip
# Other codes that ISO 639-2 has for some of them; `sve` is FFmpeg's own for Swedish.
_OTHER_CODES = {
    "bod": "tib", "cym": "wel", "cze": "ces", "deu": "ger", "ell": "gre", "eus": "baq",
    "fas": "per", "fre": "fra", "hye": "arm", "isl": "ice", "kat": "geo", "mkd": "mac",
    "msa": "may", "mya": "bur", "nld": "dut", "rum": "ron", "slo": "slk", "sqi": "alb",
    "swe": "sve", "zho": "chi",
}  # fmt: skip
# What mp4 keeps of a stream's tags; a time code becomes a track.
_OF_MP4_STREAMS = frozenset({"title", "language", "handler_name", "timecode", "creation_time"})


def container_tags(tags: Mapping[str, str], muxer: str) -> dict[str, str]:
    """The tags of a file for another one."""
    kept = {name: value for name, value in tags.items() if not _OF_THE_FILE.fullmatch(name)}
    # A place is given twice by mp4: in general, and for a language.
    kept = {name: value for name, value in kept.items() if name != "location-eng"}
    return _in_small_letters(kept) if muxer in {"mp4", "mov"} else kept


def unusual_tags(tags: Mapping[str, str], muxer: str) -> list[str]:
    """The names of those tags of a file that mp4 can hold only as free ones, which few show."""
    return sorted(container_tags(tags, muxer).keys() - _ITUNES)


def stream_tags(tags: Mapping[str, str], muxer: str) -> dict[str, str]:
    """The tags of a stream for another file."""
    kept = {name: value for name, value in tags.items() if not _OF_THE_FILE.fullmatch(name)}
    if kept.get("handler_name") in _DEFAULT_HANDLERS:
        del kept["handler_name"]
    if kept.get("HANDLER_NAME") in _DEFAULT_HANDLERS:
        del kept["HANDLER_NAME"]
    if "name" in kept:  # what mp4 calls the title of a stream
        kept.setdefault("title", kept.pop("name"))
    if muxer in {"mp4", "mov"}:
        kept = _in_small_letters(kept)
    if muxer == "mov" and (language := kept.get("language")) in _OTHER_CODES:
        kept["language"] = _OTHER_CODES[language or ""]
    return kept


def lost_tags(tags: Mapping[str, str], muxer: str) -> list[str]:
    """Those tags of a stream that another file cannot hold, as `name (value)`."""
    if muxer not in {"mp4", "mov"}:
        return []
    kept = stream_tags(tags, muxer)
    lost = kept.keys() - _OF_MP4_STREAMS
    if muxer == "mov" and kept.get("language", "und") not in _QUICKTIME_LANGUAGES | {"und"}:
        lost.add("language")
    return [f"{name} ({kept[name]})" for name in sorted(lost)]


def _in_small_letters(tags: Mapping[str, str]) -> dict[str, str]:
    """Matroska writes the names of most tags in capitals; mp4 does not."""
    return {name.lower() if name.isupper() else name: value for name, value in tags.items()}
