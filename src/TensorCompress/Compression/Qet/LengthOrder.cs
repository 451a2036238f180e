namespace TensorCompress.Compression.Qet;

/// <summary>
/// Vectors of a codebook in the order of their lengths, in up to sixteen classes of neighbours. How often a centroid is the nearest one depends on its length and on nearly nothing else, so few probabilities, which are
/// learnt soon, say what those of thousands of codes would.
/// </summary>
internal sealed class LengthOrder
{
    /// <summary>Classes at most.</summary>
    public const int MostClasses = 16;

    private readonly int[] _rankOf, _byRank, _starts;
    private readonly int _bitsOfPlace; // where all classes have a power of two of vectors, else below 0

    /// <param name="squaredLengths">Of each vector, at most 2^24 of them; equal ones keep the order of their codes.</param>
    public LengthOrder(double[] squaredLengths)
    {
        int count = squaredLengths.Length;
        Classes = Math.Min(MostClasses, count);
        _byRank = [.. Enumerable.Range(0, count)];
        Array.Sort(_byRank, (one, other) => squaredLengths[one].CompareTo(squaredLengths[other]) is not 0 and int order ? order : one.CompareTo(other));
        _rankOf = new int[count];
        for (int rank = 0; rank < count; rank++) _rankOf[_byRank[rank]] = rank;
        _starts = [.. Enumerable.Range(0, Classes + 1).Select(index => (int)(((long)index * count + Classes - 1) / Classes))];
        _bitsOfPlace = count % Classes == 0 && int.IsPow2(count / Classes) ? int.Log2(count / Classes) : -1;
    }

    /// <summary>Classes: class c begins with rank ceil(c vectors / classes).</summary>
    public int Classes { get; }

    /// <summary>The class of a code.</summary>
    public int ClassOf(int code) => (int)((long)_rankOf[code] * Classes / _rankOf.Length);

    /// <summary>Codes a code: its class, then which of the class.</summary>
    /// <param name="coder">An encoder, or a decoder.</param>
    /// <param name="model">Of the classes.</param>
    /// <param name="code">The code; a decoder does not look at it.</param>
    public int Code<TCoder>(ref TCoder coder, AdaptiveNumber model, int code)
        where TCoder : struct, IEntropyCoder
    {
        int rank = TCoder.IsDecoder ? 0 : _rankOf[code], index = model.Code(ref coder, TCoder.IsDecoder ? 0 : ClassOf(code));
        int start = _starts[index];
        return _byRank[start + (_bitsOfPlace >= 0 ? coder.Bits(_bitsOfPlace, rank - start) : coder.Uniform(_starts[index + 1] - start, rank - start))];
    }
}
