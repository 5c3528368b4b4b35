"""Names of the tags, and the types of their values: TIFF 6.0, its supplements, BigTIFF, GeoTIFF 1.1, GDAL, OME and DNG.

Only what a reader of images meets is listed; any other tag keeps its number as its name and its value as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

NAMES: Final[Mapping[int, str]] = MappingProxyType({
    254: "NewSubfileType", 255: "SubfileType", 256: "ImageWidth", 257: "ImageLength", 258: "BitsPerSample",
    259: "Compression", 262: "PhotometricInterpretation", 263: "Threshholding", 264: "CellWidth", 265: "CellLength",
    266: "FillOrder", 269: "DocumentName", 270: "ImageDescription", 271: "Make", 272: "Model", 273: "StripOffsets",
    274: "Orientation", 277: "SamplesPerPixel", 278: "RowsPerStrip", 279: "StripByteCounts", 280: "MinSampleValue",
    281: "MaxSampleValue", 282: "XResolution", 283: "YResolution", 284: "PlanarConfiguration", 285: "PageName",
    286: "XPosition", 287: "YPosition", 288: "FreeOffsets", 289: "FreeByteCounts", 290: "GrayResponseUnit",
    291: "GrayResponseCurve", 292: "T4Options", 293: "T6Options", 296: "ResolutionUnit", 297: "PageNumber",
    301: "TransferFunction", 305: "Software", 306: "DateTime", 315: "Artist", 316: "HostComputer", 317: "Predictor",
    318: "WhitePoint", 319: "PrimaryChromaticities", 320: "ColorMap", 321: "HalftoneHints", 322: "TileWidth",
    323: "TileLength", 324: "TileOffsets", 325: "TileByteCounts", 326: "BadFaxLines", 327: "CleanFaxData",
    328: "ConsecutiveBadFaxLines", 330: "SubIFDs", 332: "InkSet", 333: "InkNames", 334: "NumberOfInks",
    336: "DotRange", 337: "TargetPrinter", 338: "ExtraSamples", 339: "SampleFormat", 340: "SMinSampleValue",
    341: "SMaxSampleValue", 342: "TransferRange", 343: "ClipPath", 344: "XClipPathUnits", 345: "YClipPathUnits",
    346: "Indexed", 347: "JPEGTables", 351: "OPIProxy", 512: "JPEGProc", 513: "JPEGInterchangeFormat",
    514: "JPEGInterchangeFormatLength", 515: "JPEGRestartInterval", 517: "JPEGLosslessPredictors",
    518: "JPEGPointTransforms", 519: "JPEGQTables", 520: "JPEGDCTables", 521: "JPEGACTables",
    529: "YCbCrCoefficients", 530: "YCbCrSubSampling", 531: "YCbCrPositioning", 532: "ReferenceBlackWhite",
    700: "XMP", 18246: "Rating", 32781: "ImageID", 32995: "Matteing", 32996: "DataType", 32997: "ImageDepth",
    32998: "TileDepth", 33300: "ImageFullWidth", 33301: "ImageFullLength", 33302: "TextureFormat",
    33303: "TextureWrapModes", 33421: "CFARepeatPatternDim", 33422: "CFAPattern", 33423: "BatteryLevel",
    33432: "Copyright", 33434: "ExposureTime", 33437: "FNumber", 33550: "ModelPixelScale", 33628: "UIC1tag",
    33629: "UIC2tag", 33630: "UIC3tag", 33631: "UIC4tag", 33723: "IPTC", 33920: "IntergraphMatrix",
    33922: "ModelTiepoint", 34118: "CZ_SEM", 34264: "ModelTransformation", 34361: "MM_Header", 34362: "MM_Stamp",
    34377: "ImageResources", 34412: "CZ_LSMINFO", 34665: "ExifIFD", 34675: "ICCProfile", 34732: "ImageLayer",
    34735: "GeoKeyDirectory", 34736: "GeoDoubleParams", 34737: "GeoAsciiParams", 34853: "GPSInfo",
    36867: "DateTimeOriginal", 37377: "ShutterSpeedValue", 37378: "ApertureValue", 37500: "MakerNote",
    37510: "UserComment", 37724: "ImageSourceData", 40092: "XPComment", 40965: "InteroperabilityIFD",
    42112: "GDAL_METADATA", 42113: "GDAL_NODATA", 50674: "LercParameters", 50706: "DNGVersion",
    50707: "DNGBackwardVersion", 50708: "UniqueCameraModel", 50712: "LinearizationTable",
    50714: "BlackLevel", 50717: "WhiteLevel", 50719: "DefaultCropOrigin", 50720: "DefaultCropSize",
    50829: "ActiveArea", 50838: "IJMetadataByteCounts", 50839: "IJMetadata", 50844: "RPCCoefficients",
    51041: "NoiseProfile", 65420: "NDPI_FORMAT", 65421: "NDPI_MAGNIFICATION", 65426: "NDPI_MCU_STARTS",
    65432: "NDPI_MCU_STARTS_HIGH",
})  # fmt: skip
"""Tag number to name."""

TEXT: Final = frozenset({269, 270, 271, 272, 285, 305, 306, 315, 316, 337, 700, 33432, 34737, 42112, 42113, 50708})
"""Tags whose value is text even where a writer declared it as BYTE or UNDEFINED."""

TABLES: Final = frozenset({273, 279, 324, 325})
"""Offsets and byte counts: one entry a segment, read by slice and never whole."""

STRUCTURE: Final = (
    258, 277, 339, 338, 530, 347, 50674, 330, 512, 513, 514, 515, 519, 520, 521, 292, 293,
    317, 284, 259, 262, 266, 278, 322, 323, 32997, 32998, 254, 255, 256, 257, 42113,
)  # fmt: skip
"""What must be known before a pixel can be placed."""

DESCRIPTION: Final = (270, 282, 283, 305, 320, 33550, 33922, 34264, 34735, 34736, 34737, 42112, 50838, 50839)
"""What says where and of what the image is: read when an image is opened, from its first IFD only."""

LARGE: Final = frozenset({270, 42112, 50838, 50839})
"""Those of them that may be of any size: OME-XML, GDAL's and ImageJ's metadata."""


def number_of(name: str) -> int | None:
    """The number of a tag by its name, or None; ``"Tag12345"`` is the name of a tag without one."""
    for number, known in NAMES.items():
        if known == name:
            return number
    digits = name.removeprefix("Tag")
    return int(digits) if digits.isdecimal() else None


def name_of(number: int) -> str:
    """The name of a tag by its number, ``Tag12345`` where it has none."""
    return NAMES.get(number, f"Tag{number}")
