namespace TensorCompress.Kernels.Simd;

/// <summary>Implementations of integer products.</summary>
internal enum IntegerKernel
{
    /// <summary>Plain integers.</summary>
    Scalar,

    /// <summary>128-bit vectors: PMADDUBSW, or widening multiplications.</summary>
    Bytes128,

    /// <summary>256-bit vectors: VPMADDUBSW.</summary>
    Bytes256,

    /// <summary>256-bit vectors: VPDPBUSD.</summary>
    Vnni256,

    /// <summary>512-bit vectors: VPMADDUBSW.</summary>
    Bytes512,
}
