"""Clip in, larger clip out: the networks, and what wraps them.

`ZOO` names every upscaler that can be asked for with the class that implements it. A module is
imported when its network is asked for, so that one that cannot be imported harms no other.
"""

from __future__ import annotations

from importlib import import_module
from typing import cast

from upreel.errors import UsageError
from upreel.models.upscaler import Upscaler

ZOO = {
    "swift": "upreel.models.swift:Swift",
    "clear": "upreel.models.clear:Clear",
    "compact": "upreel.models.compact:Compact",
    "rlsp": "upreel.models.rlsp:RLSP",
    "rbpn": "upreel.models.rbpn:RBPN",
    "dbpn": "upreel.models.dbpn:DBPN",
    "srresnet": "upreel.models.srresnet:SRResNet",
    "ristn": "upreel.models.ristn:RISTN",
    "dflow": "upreel.models.dflow:DFlow",
    "basicvsr": "upreel.models.basicvsr:BasicVSR",
    "basicvsrpp": "upreel.models.basicvsrpp:BasicVSRPlusPlus",
    "iconvsr": "upreel.models.iconvsr:IconVSR",
    "edvr": "upreel.models.edvr:EDVR",
    "msitf": "upreel.models.msitf:MSITF",
    "bicubic": "upreel.models.bicubic:Bicubic",
    "lanczos": "upreel.models.bicubic:Lanczos",
    "tpsr": "upreel.models.tpsr:TPSR",
    "linear": "upreel.models.linear:Linear",
    "glide": "upreel.models.glide:Glide",
    "average": "upreel.models.averaging:Average",
    "repeat": "upreel.models.averaging:Repeat",
    "warp": "upreel.models.motion_average:MotionAverage",
}


def upscaler_class(name: str) -> type[Upscaler]:
    """Look an upscaler up in the zoo. Its keyword arguments are JSON values.

    Raises:
        UsageError: nothing has this name.
    """
    if name not in ZOO:
        raise UsageError(f"expected one of {', '.join(ZOO)} as the network, found {name!r}")
    module, attribute = ZOO[name].split(":")
    return cast("type[Upscaler]", getattr(import_module(module), attribute))
