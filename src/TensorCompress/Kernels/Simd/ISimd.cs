using System.Runtime.Intrinsics;

namespace TensorCompress.Kernels.Simd;

/// <summary>
/// Sixteen floats that are worked on together, held in vectors of one width. A kernel is written once over this interface; because every width
/// has the same sixteen lanes and the same reduction tree, its results are the same bits at every width (with hardware multiply-add).
/// </summary>
internal interface ISimd<TSelf>
    where TSelf : struct, ISimd<TSelf>
{
    /// <summary>Lanes of every implementation.</summary>
    const int Lanes = 16;

    static abstract TSelf Zero { get; }

    static abstract TSelf Broadcast(float value);

    static abstract unsafe TSelf Load(float* source);

    static abstract unsafe void Store(TSelf value, float* destination);

    static abstract TSelf operator +(TSelf left, TSelf right);

    static abstract TSelf operator -(TSelf left, TSelf right);

    static abstract TSelf operator *(TSelf left, TSelf right);

    static abstract TSelf operator /(TSelf left, TSelf right);

    /// <summary>a * b + c, fused where the CPU can.</summary>
    static abstract TSelf MultiplyAdd(TSelf a, TSelf b, TSelf c);

    static abstract TSelf Max(TSelf left, TSelf right);

    static abstract TSelf Min(TSelf left, TSelf right);

    /// <summary>Nearest integers, ties to even.</summary>
    static abstract TSelf Round(TSelf value);

    /// <summary>2^n for integral n in -126 to 127, built from the exponent bits.</summary>
    static abstract TSelf PowerOfTwo(TSelf n);

    /// <summary>Four floats: lanes i, i + 4, i + 8, i + 12 added as (i, i + 8) and (i + 4, i + 12) first. The last two levels follow in <see cref="Reduction"/>.</summary>
    static abstract Vector128<float> SumToFour(TSelf value);

    /// <summary>Sixteen binary16 numbers, exactly; they must be finite.</summary>
    static abstract unsafe TSelf LoadHalf(ushort* source);

    /// <summary>Sixteen bfloat16 numbers, exactly.</summary>
    static abstract unsafe TSelf LoadBfloat16(ushort* source);
}
