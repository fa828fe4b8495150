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
# QuickTime knows the older of the two codes that ISO 639-2 has for these languages.
_QUICKTIME_LANGUAGES = {
    "bod": "tib", "ces": "cze", "cym": "wel", "deu": "ger", "ell": "gre", "eus": "baq",
    "fas": "per", "fra": "fre", "hye": "arm", "isl": "ice", "kat": "geo", "mkd": "mac",
    "mri": "mao", "msa": "may", "mya": "bur", "nld": "dut", "ron": "rum", "slk": "slo",
    "sqi": "alb", "zho": "chi",
}  # fmt: skip


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
    if muxer == "mov" and (language := kept.get("language")) in _QUICKTIME_LANGUAGES:
        kept["language"] = _QUICKTIME_LANGUAGES[language or ""]
    return kept


def _in_small_letters(tags: Mapping[str, str]) -> dict[str, str]:
    """Matroska writes the names of most tags in capitals; mp4 does not."""
    return {name.lower() if name.isupper() else name: value for name, value in tags.items()}
