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

    /// <summary>Broadcast of a value in memory: one instruction where the CPU has it.</summary>
    static abstract unsafe TSelf BroadcastFrom(float* source);

    static abstract unsafe TSelf Load(float* source);

    static abstract unsafe void Store(TSelf value, float* destination);

    /// <summary>Sixteen small integers as floats.</summary>
    static abstract TSelf FromSigned(Vector128<sbyte> values);

    static abstract TSelf operator +(TSelf left, TSelf right);

    static abstract TSelf operator -(TSelf left, TSelf right);

    static abstract TSelf operator *(TSelf left, TSelf right);

    static abstract TSelf operator /(TSelf left, TSelf right);

    /// <summary>a * b + c, fused where the CPU can.</summary>
    static abstract TSelf MultiplyAdd(TSelf a, TSelf b, TSelf c);

    /// <summary>sum = MultiplyAdd(a, b, sum). By reference, because the compiler then keeps the sum in its register instead of moving it at every step.</summary>
    static abstract void Accumulate(ref TSelf sum, TSelf a, TSelf b);

    static abstract TSelf Max(TSelf left, TSelf right);

    static abstract TSelf Min(TSelf left, TSelf right);

    /// <summary>Nearest integers, ties to even.</summary>
    static abstract TSelf Round(TSelf value);

    /// <summary>2^n for integral n in -126 to 127, built from the exponent bits.</summary>
    static abstract TSelf PowerOfTwo(TSelf n);

    /// <summary>The lanes' bits as 32-bit integers: both set.</summary>
    static abstract TSelf operator &(TSelf left, TSelf right);

    /// <summary>The lanes' bits: one of them set.</summary>
    static abstract TSelf operator |(TSelf left, TSelf right);

    /// <summary>The lanes' bits added as 32-bit integers.</summary>
    static abstract TSelf AddBits(TSelf left, TSelf right);

    /// <summary>The lanes' bits moved to higher places.</summary>
    static abstract TSelf ShiftLeft(TSelf value, int count);

    /// <summary>The lanes' bits moved to lower places, zeros behind them.</summary>
    static abstract TSelf ShiftRight(TSelf value, int count);

    /// <summary>All bits of a lane set where left &lt; right as floats; NaN is never less.</summary>
    static abstract TSelf LessThan(TSelf left, TSelf right);

    /// <summary>All bits of a lane set where it is NaN.</summary>
    static abstract TSelf IsNaN(TSelf value);

    /// <summary>The first value in lanes whose mask is set, else the second.</summary>
    static abstract TSelf Select(TSelf mask, TSelf ifSet, TSelf ifNot);

    /// <summary>Lanes 2i and 2i + 1 exchanged.</summary>
    static abstract TSelf SwapNeighbours(TSelf value);

    /// <summary>Thirty-two lanes, those of the second value behind those of the first: the even ones become the first value, the odd ones the second.</summary>
    static abstract void Unzip(ref TSelf first, ref TSelf second);

    /// <summary>Undoes <see cref="Unzip"/>.</summary>
    static abstract void Zip(ref TSelf first, ref TSelf second);

    /// <summary>The highest bit of each lane, lane 0 first: the bits of a mask.</summary>
    static abstract int HighBits(TSelf value);

    /// <summary>A mask: all bits of a lane set where its bit is, lane 0 first.</summary>
    static abstract TSelf MaskOf(int bits);

    /// <summary>Sixteen 16-bit words as the low bits of the lanes.</summary>
    static abstract unsafe TSelf LoadWords(ushort* source);

    /// <summary>Sixteen 16-bit integers as the lanes' bits, the sign in all upper ones.</summary>
    static abstract unsafe TSelf LoadShorts(short* source);

    /// <summary>The low 16 bits of each lane.</summary>
    static abstract unsafe void StoreWords(TSelf value, ushort* destination);

    /// <summary>Four floats: lanes i, i + 4, i + 8, i + 12 added as (i, i + 8) and (i + 4, i + 12) first. The last two levels follow in <see cref="Reduction"/>.</summary>
    static abstract Vector128<float> SumToFour(TSelf value);
}
