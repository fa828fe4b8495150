"""Which tags of a file and of its streams are worth carrying, in the words of another container."""

from __future__ import annotations

import re
from collections.abc import Mapping

from av.stream import Disposition

# What a muxer writes about its own work; it would be wrong of the new file.
_OF_THE_FILE = re.compile(
    r"major_brand|minor_version|compatible_brands|encoder|encoded_by_muxer|duration|vendor_id|"
    r"alpha_mode|(_statistics|bps|number_of_|source_id)[\w-]*",
    re.IGNORECASE,
)
_DEFAULT_HANDLERS = {"VideoHandler", "SoundHandler", "SubtitleHandler", "DataHandler"}
# The tags of files that have a name of their own: those of iTunes, which every player of mp4 reads,
# and QuickTime's.
_NAMED = {
    "mp4": frozenset(
        {
            "title", "artist", "album_artist", "composer", "album", "date", "comment", "genre",
            "copyright", "grouping", "lyrics", "description", "synopsis", "show", "episode_id",
            "network", "keywords", "episode_sort", "season_number", "media_type", "hd_video",
            "gapless_playback", "compilation", "track", "disc", "location", "creation_time",
        }
    ),
    "mov": frozenset(
        {
            "title", "artist", "album", "date", "comment", "genre", "copyright", "make", "model",
            "location", "creation_time",
        }
    ),
}  # fmt: skip
# The tags of streams that both write; they have no free ones there.
_OF_STREAMS = {"language", "title", "handler_name", "timecode"}
# Of the two codes that ISO 639-2 has for some languages, the one that QuickTime's muxer knows.
_QUICKTIME_LANGUAGES = {
    "bod": "tib", "cym": "wel", "cze": "ces", "deu": "ger", "ell": "gre", "eus": "baq",
    "fas": "per", "fre": "fra", "hye": "arm", "isl": "ice", "kat": "geo", "mkd": "mac",
    "msa": "may", "mya": "bur", "nld": "dut", "rum": "ron", "slo": "slk", "sqi": "alb",
    "swe": "sve", "zho": "chi",
}  # fmt: skip
# Languages that QuickTime has a number for, as its muxer in FFmpeg spells them.
_QUICKTIME_KNOWS = (
    "alb amh ara arm asm aym aze baq bel ben bul bur cat ces chi dan dut dzo eng epo est fin fra "
    "geo ger gre grn guj heb hin hun ice ind iri ita jav jpn kan kas kaz khm kin kir kor kur lao "
    "lat lav lit mac mal mar may mlg mlt mol mon nep nor nya ori orm per pol por pus que ron run "
    "rus san sin slk slv smi snd som spa sve swa tam tat tel tgk tgl tha tib tir tuk tur uig ukr "
    "urd uzb vie wel yid und"
)
# The marks of streams that a container has, found by writing each and reading it again.
_MARKS = {
    "matroska": Disposition.default | Disposition.dub | Disposition.original
    | Disposition.comment | Disposition.forced | Disposition.hearing_impaired
    | Disposition.visual_impaired,
    "webm": Disposition.default | Disposition.forced,
    "mp4": Disposition.default | Disposition.dub | Disposition.comment | Disposition.forced
    | Disposition.hearing_impaired | Disposition.visual_impaired,
    "mov": Disposition.default,
}  # fmt: skip
# What a mark says that another one says too.
_SAID_BY = {
    Disposition.captions: Disposition.hearing_impaired,
    Disposition.descriptions: Disposition.visual_impaired,
}


def container_tags(tags: Mapping[str, str], muxer: str) -> dict[str, str]:
    """The tags of a file for another one."""
    kept = {name: value for name, value in tags.items() if not _OF_THE_FILE.fullmatch(name)}
    # A place is given twice by mp4: in general, and for a language.
    kept = {name: value for name, value in kept.items() if name != "location-eng"}
    return _in_small_letters(kept) if muxer in {"mp4", "mov"} else kept


def unusual_tags(tags: Mapping[str, str], muxer: str) -> list[str]:
    """The names of those tags of a file that mp4 and mov hold only as free ones, which few show."""
    return sorted(container_tags(tags, muxer).keys() - _NAMED[muxer])


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
        if "title" in kept:  # where most players look for it
            kept.setdefault("handler_name", kept["title"])
    elif kept.get("handler_name") == kept.get("title"):
        kept.pop("handler_name", None)
    if muxer == "mov" and (language := kept.get("language")) in _QUICKTIME_LANGUAGES:
        kept["language"] = _QUICKTIME_LANGUAGES[language or ""]
    return kept


def lost_tags(
    tags: Mapping[str, str], disposition: Disposition, muxer: str, *, of_file: Mapping[str, str]
) -> list[str]:
    """What a container cannot say of a stream, in words.

    Args:
        tags: of the stream, as `stream_tags` gives them.
        disposition: of the stream.
        muxer: of the container.
        of_file: the tags of the whole source, which need not be said again.
    """
    lost = []
    if muxer in {"mp4", "mov"}:
        lost = [
            name for name, value in tags.items()
            if name not in _OF_STREAMS and of_file.get(name) != value
        ]  # fmt: skip
        language = tags.get("language", "und")
        known = muxer == "mp4" and re.fullmatch("[a-z]{3}", language)
        if not known and language not in _QUICKTIME_KNOWS.split():
            lost.append(f"language {language}")
    for mark in Disposition:
        said = _MARKS[muxer] & (mark | _SAID_BY.get(mark, mark)) & disposition
        if mark & disposition and not said:
            lost.append(f"the mark '{mark.name}'")
    return lost


def _in_small_letters(tags: Mapping[str, str]) -> dict[str, str]:
    """Matroska writes the names of most tags in capitals; mp4 does not."""
    return {name.lower() if name.isupper() else name: value for name, value in tags.items()}
