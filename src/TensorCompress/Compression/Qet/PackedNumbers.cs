using TensorCompress.Kernels;

namespace TensorCompress.Compression.Qet;

/// <summary>The numbers of a codebook as products read them: [column group, column, centroid] or [column group, centroid, column], a byte or two each on a grid, else floats.</summary>
internal sealed class PackedNumbers
{
    private readonly sbyte[]? _bytes; // places less 128
    private readonly ushort[]? _words;
    private readonly float[]? _floats;
    private readonly float[] _scales;
    private readonly int _perGroup, _groupsPerGrid;
    private readonly int _nextCentroid, _nextColumn; // places from one to the next

    /// <param name="codebook">As it is stored.</param>
    /// <param name="plan">Its plan.</param>
    /// <param name="stage">Its stage.</param>
    /// <param name="isByColumn">Whether the numbers of a column lie together, or else those of a centroid.</param>
    public PackedNumbers(QetCodebook codebook, QetPlan plan, int stage, bool isByColumn)
    {
        int length = plan.SubvectorLength, centroids = plan.Centroids[stage], groups = plan.Options.Subspaces, bits = plan.Options.CodebookBits;
        _perGroup = length * centroids;
        (_nextCentroid, _nextColumn) = isByColumn ? (1, centroids) : (length, 1);
        _groupsPerGrid = groups / Math.Max(1, plan.Grids);
        _scales = codebook.Scales;
        int count = codebook.Count;
        if (_scales.Length == 0) _floats = new float[count];
        else if (bits <= 8) _bytes = new sbyte[count];
        else _words = new ushort[count];
        float[] floats = _floats is null ? [] : new float[count];
        codebook.Decode(0, floats);
        for (int group = 0, source = 0; group < groups; group++)
        {
            for (int c = 0; c < centroids; c++)
            {
                for (int k = 0; k < length; k++, source++)
                {
                    int place = group * _perGroup + k * _nextColumn + c * _nextCentroid;
                    if (_floats is not null) _floats[place] = floats[source];
                    else if (_bytes is not null) _bytes[place] = (sbyte)(BitStream.Read(codebook.Stored, (long)source * bits, bits) - 128);
                    else _words![place] = (ushort)BitStream.Read(codebook.Stored, (long)source * bits, bits);
                }
            }
        }
    }

    /// <summary>Bytes held.</summary>
    public long ByteLength => (_bytes?.Length ?? 0) + sizeof(ushort) * (long)(_words?.Length ?? 0) + sizeof(float) * ((long)(_floats?.Length ?? 0) + _scales.Length);

    /// <summary>The numbers of a group, in their order, as floats.</summary>
    public void Decode(int group, Span<float> destination)
    {
        int start = group * _perGroup;
        (float least, float step) = Grid(group);
        destination = destination[.._perGroup];
        if (_floats is not null) _floats.AsSpan(start, _perGroup).CopyTo(destination);
        else if (_bytes is not null) GridNumbers.Decode(_bytes.AsSpan(start, _perGroup), least, step, destination);
        else GridNumbers.Decode(_words.AsSpan(start, _perGroup), least, step, destination);
    }

    /// <summary>Decodes one centroid of a group.</summary>
    public void Centroid(int group, int index, Span<float> destination)
    {
        (float least, float step) = Grid(group);
        for (int k = 0, at = group * _perGroup + index * _nextCentroid; k < destination.Length; k++, at += _nextColumn)
            destination[k] = _floats is not null ? _floats[at] : MathF.FusedMultiplyAdd(_bytes is not null ? _bytes[at] + 128 : _words![at], step, least);
    }

    private (float Least, float Step) Grid(int group) => _floats is not null ? default : (_scales[2 * (group / _groupsPerGrid)], _scales[2 * (group / _groupsPerGrid) + 1]);
}
