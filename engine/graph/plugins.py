"""Plugins of TensorRT as exporters write them into a graph: operators that ONNX does not know.

Apart from lint because inspection and the backends' refusals ask the same. TensorRT's parser looks for a plugin by the
operator's name alone, so a plugin may stand in any domain, ONNX's own among them (onnx-tensorrt, ModelImporter.cpp).
"""

from __future__ import annotations

from functools import cache

from onnx import ModelProto, NodeProto, defs

from .walk import called, is_onnx, nodes, within

_DOMAINS = ("trt", "tensorrt", "nvidia", "nvinfer", "nvinfer1", "mmdeploy", "mmcv")
"""Words in domains under which exporters write plugins, in lower case; mmdeploy, once mmcv, has a library of them."""
_OF_ONNXRUNTIME = "com.microsoft"
"""It has a CropAndResize of its own there."""

_OWN = frozenset(
    {
        "BatchedNMSDynamic_TRT", "BatchedNMS_TRT", "BatchTilePlugin_TRT", "CgPersistentLSTMPlugin_TRT", "Clip_TRT",
        "CoordConvAC", "CropAndResize", "CropAndResizeDynamic", "CustomEmbLayerNormPluginDynamic", "CustomFCPluginDynamic",
        "CustomGeluPluginDynamic", "CustomQKVToContextPluginDynamic", "CustomSkipLayerNormPluginDynamic",
        "DLRM_BOTTOM_MLP_TRT", "DecodeBbox3DPlugin", "DetectionLayer_TRT", "DisentangledAttention_TRT",
        "EfficientNMS_Explicit_TF_TRT", "EfficientNMS_Implicit_TF_TRT", "EfficientNMS_ONNX_TRT", "EfficientNMS_TRT",
        "FlattenConcat_TRT", "GenerateDetection_TRT", "GridAnchorRect_TRT", "GridAnchor_TRT", "GroupNormalizationPlugin",
        "InstanceNormalization_TRT", "LReLU_TRT", "ModulatedDeformConv2d", "MultilevelCropAndResize_TRT",
        "MultilevelProposeROI_TRT", "MultiscaleDeformableAttnPlugin_TRT", "NMSDynamic_TRT", "NMS_TRT", "Normalize_TRT",
        "PillarScatterPlugin", "PriorBox_TRT", "Proposal", "ProposalDynamic", "ProposalLayer_TRT", "PyramidROIAlign_TRT",
        "RNNTEncoderPlugin", "ROIAlign_TRT", "RPROI_TRT", "Region_TRT", "Reorg_TRT", "ResizeNearest_TRT", "RnRes2Br1Br2c_TRT",
        "RnRes2Br2bBr2c_TRT", "RnRes2FullFusion_TRT", "SingleStepLSTMPlugin", "SmallTileGEMM_TRT", "SpecialSlice_TRT",
        "VoxelGeneratorPlugin",
    }
)  # fmt: skip
"""Plugins that come with TensorRT, in a version from 7 on, by the names they are registered under (NVIDIA/TensorRT,
plugin/README.md and plugin/api/inferPlugin.cpp; those without sources by the registry's own list). Left out are those that 8.5
alone has (GroupNorm, LayerNorm, SeqLen2Spatial, SplitGeLU, fMHA_V2, fMHCA), and those that ONNX has too (ScatterND, Split).
"""


@cache
def known(operator: str) -> bool:
    """Whether any version of ONNX has an operator of that name."""
    return defs.has(operator)


def of_onnx(node: NodeProto) -> bool:
    """Whether a node is of ONNX's own operators; `walk.is_onnx` asks for its domain alone."""
    return is_onnx(node) and known(node.op_type)


def named_as_plugin(operator: str) -> bool:
    """Whether an operator's name alone says that it is a plugin."""
    return operator in _OWN or (not known(operator) and ("TRT" in operator or "Plugin" in operator))


def may_be_plugin(node: NodeProto) -> bool:
    """Whether TensorRT would read a node that is no operator of ONNX if it has a plugin of that name: NVIDIA's own do, what is
    named as one, and what stands in a domain for plugins or in ONNX's, where nothing else can be meant.
    """
    domain = node.domain.lower().replace("_", ".").replace("-", ".")
    if domain.startswith(_OF_ONNXRUNTIME):
        return False
    return is_onnx(node) or named_as_plugin(node.op_type) or any(word in _DOMAINS for word in domain.split("."))


def foreign_plugins(model: ModelProto) -> list[str]:
    """Names of the plugins that the model needs, in functions that it calls too, and that do not come with TensorRT."""
    every = [*nodes(model), *(node for function in called(model) for node in within(function.node))]
    odd = (node for node in every if not of_onnx(node) and may_be_plugin(node))
    own = {(function.domain, function.name) for function in model.functions}
    return sorted({node.op_type for node in odd if node.op_type not in _OWN and (node.domain, node.op_type) not in own})
