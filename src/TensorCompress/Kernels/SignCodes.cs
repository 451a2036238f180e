using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TensorCompress.Tensors;

namespace TensorCompress.Kernels;

/// <summary>
/// Activations as 8-bit codes -127 to 127 with a scale for every 256 columns, in the order that <see cref="SignCodeProducts"/> meets the bits of <see cref="SignLayout.Words"/>: of each step of 32 columns the four columns
/// of every eight that have the same bit. For matrices of few rows, whose tables would cost more than their products.
/// </summary>
/// <remarks>A span with a NaN or an infinity gets a scale of NaN; one whose values are all below 1e-30 becomes zero.</remarks>
internal sealed unsafe class SignCodes : IDisposable
{
    /// <summary>Columns that share a scale: sixteen products of each bit of four are as many as 16 bits hold.</summary>
    public const int SpanColumns = 256;

    private const float LargestCode = 127, Smallest = 1e-30f;

    private Matrix<sbyte>? _codes;
    private Matrix<float>? _spans;

    public int TokenCount { get; private set; }

    public int Columns { get; private set; }

    public int Spans => (Columns - 1) / SpanColumns + 1;

    /// <summary>Codes of a token; columns beyond the last are 0.</summary>
    public nint TokenCodes => (nint)((Columns - 1) / SignBlocks.StepColumns + 1) * SignBlocks.StepColumns;

    /// <summary>The first token's codes; the next token's follow.</summary>
    public sbyte* Codes => _codes!.Pointer;

    /// <summary>The first token's spans, each its scale and the sum of its codes; the next token's follow.</summary>
    public float* ScalesAndSums => _spans!.Pointer;

    /// <summary>Bytes held.</summary>
    public long ByteLength => (_codes?.ByteLength ?? 0) + (_spans?.ByteLength ?? 0);

    /// <summary>Makes room; what was there is lost.</summary>
    public void Reserve(int tokens, int columns)
    {
        (TokenCount, Columns) = (tokens, columns);
        nint spans = 2 * (nint)tokens * Spans, codes = tokens * TokenCodes;
        if (_codes is not null && _codes.Columns >= codes && _spans!.Columns >= spans) return;
        Dispose();
        (_codes, _spans) = (Matrix<sbyte>.Uninitialized(1, codes), Matrix<float>.Uninitialized(1, spans));
    }

    /// <summary>Quantises one token; others may be quantised at the same time.</summary>
    /// <param name="token">Token.</param>
    /// <param name="values">All its activations.</param>
    /// <param name="columnScales">A factor for each, or none.</param>
    [SkipLocalsInit]
    public void Quantize(int token, ReadOnlySpan<float> values, ReadOnlySpan<float> columnScales)
    {
        if (values.Length != Columns || (columnScales.Length != Columns && !columnScales.IsEmpty))
            throw new ArgumentException($"{Columns} columns do not have {values.Length} values and {columnScales.Length} scales.", nameof(values));
        float* scaled = stackalloc float[SpanColumns];
        for (int span = 0; span < Spans; span++)
        {
            int start = span * SpanColumns, count = Math.Min(SpanColumns, Columns - start), padded = (count + SignBlocks.StepColumns - 1) / SignBlocks.StepColumns * SignBlocks.StepColumns;
            SignTables.Scale(values.Slice(start, count), columnScales.IsEmpty ? [] : columnScales.Slice(start, count), new Span<float>(scaled, padded));
            float largest = Largest(scaled, padded);
            bool isZero = largest < Smallest;
            int sum = Round(scaled, padded, isZero ? 0 : LargestCode / largest, Codes + token * TokenCodes + start);
            float* scaleAndSum = ScalesAndSums + 2 * ((nint)token * Spans + span);
            (scaleAndSum[0], scaleAndSum[1]) = (isZero ? 0 : largest / LargestCode, sum);
        }
    }

    public void Dispose()
    {
        _codes?.Dispose();
        _spans?.Dispose();
        (_codes, _spans) = (null, null);
    }

    /// <summary>The largest magnitude of a multiple of four values; NaN where one is not finite.</summary>
    internal static float Largest(float* values, int count)
    {
        Vector128<int> largest = Vector128<int>.Zero; // magnitudes are ordered as their bits are, what is not finite last
        for (int i = 0; i < count; i += 4) largest = Vector128.Max(largest, Vector128.Abs(Vector128.Load(values + i)).AsInt32());
        float most = BitConverter.Int32BitsToSingle(Math.Max(Math.Max(largest[0], largest[1]), Math.Max(largest[2], largest[3])));
        return float.IsFinite(most) ? most : float.NaN;
    }

    /// <summary>Rounds to nearest; in a step, eight times the four columns that are eight apart.</summary>
    /// <returns>The sum of the codes.</returns>
    private static int Round(float* scaled, int count, float inverse, sbyte* codes)
    {
        Vector128<float> factor = Vector128.Create(inverse);
        Vector128<int> sums = Vector128<int>.Zero;
        Vector128<byte> pairs = Vector128.Create((byte)0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
        for (int step = 0; step < count; step += SignBlocks.StepColumns, codes += SignBlocks.StepColumns)
        {
            // Bytes c and c + 8 side by side, then those of c + 16 and c + 24 behind them.
            Vector128<ushort> first = Vector128.ShuffleNative(Sixteen(scaled + step, factor, ref sums), pairs).AsUInt16(), second = Vector128.ShuffleNative(Sixteen(scaled + step + 16, factor, ref sums), pairs).AsUInt16();
            (Vector128.WidenLower(first) | Vector128.WidenLower(second) << 16).AsSByte().Store(codes);
            (Vector128.WidenUpper(first) | Vector128.WidenUpper(second) << 16).AsSByte().Store(codes + 16);
        }

        return Vector128.Sum(sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Sixteen(float* values, Vector128<float> factor, ref Vector128<int> sums)
    {
        Vector128<int> a = Level(values), b = Level(values + 4), c = Level(values + 8), d = Level(values + 12);
        sums += (a + b) + (c + d);
        return Vector128.NarrowWithSaturation(Vector128.NarrowWithSaturation(a, b), Vector128.NarrowWithSaturation(c, d)).AsByte();

        Vector128<int> Level(float* four) => Vector128.ConvertToInt32(Vector128.Round(Vector128.Load(four) * factor)); // NaN becomes 0 on every platform
    }
}
