using System.Numerics.Tensors;

namespace TensorCompress.Compression.Qet;

/// <summary>The numbers of a codebook as products read them: [column group, column, centroid], a byte or two each on a grid, else floats.</summary>
internal sealed class PackedNumbers
{
    private readonly byte[]? _bytes;
    private readonly ushort[]? _words;
    private readonly float[]? _floats;
    private readonly float[] _scales;
    private readonly int _perGroup, _groupsPerGrid;

    /// <param name="codebook">As it is stored.</param>
    /// <param name="plan">Its plan.</param>
    /// <param name="stage">Its stage.</param>
    public PackedNumbers(QetCodebook codebook, QetPlan plan, int stage)
    {
        int length = plan.SubvectorLength, centroids = plan.Centroids[stage], groups = plan.Options.Subspaces, bits = plan.Options.CodebookBits;
        _perGroup = length * centroids;
        _groupsPerGrid = groups / Math.Max(1, plan.Grids);
        _scales = codebook.Scales;
        int count = codebook.Count;
        if (_scales.Length == 0) _floats = new float[count];
        else if (bits <= 8) _bytes = new byte[count];
        else _words = new ushort[count];
        float[] floats = _floats is null ? [] : new float[count];
        codebook.Decode(0, floats);
        for (int group = 0, source = 0; group < groups; group++)
        {
            for (int c = 0; c < centroids; c++)
            {
                for (int k = 0; k < length; k++, source++)
                {
                    int place = group * _perGroup + k * centroids + c;
                    if (_floats is not null) _floats[place] = floats[source];
                    else if (_bytes is not null) _bytes[place] = (byte)BitStream.Read(codebook.Stored, (long)source * bits, bits);
                    else _words![place] = (ushort)BitStream.Read(codebook.Stored, (long)source * bits, bits);
                }
            }
        }
    }

    /// <summary>Bytes held.</summary>
    public long ByteLength => (_bytes?.Length ?? 0) + sizeof(ushort) * (long)(_words?.Length ?? 0) + sizeof(float) * ((long)(_floats?.Length ?? 0) + _scales.Length);

    /// <summary>The numbers of a group, [column, centroid], as floats.</summary>
    public void Decode(int group, Span<float> destination)
    {
        int start = group * _perGroup, grid = 2 * (group / _groupsPerGrid);
        destination = destination[.._perGroup];
        if (_floats is not null)
        {
            _floats.AsSpan(start, _perGroup).CopyTo(destination);
            return;
        }

        if (_bytes is not null) TensorPrimitives.ConvertTruncating<byte, float>(_bytes.AsSpan(start, _perGroup), destination);
        else TensorPrimitives.ConvertTruncating<ushort, float>(_words.AsSpan(start, _perGroup), destination);
        float least = _scales[grid], step = _scales[grid + 1];
        foreach (ref float number in destination) number = MathF.FusedMultiplyAdd(number, step, least);
    }

    /// <summary>One number of a group.</summary>
    public float Read(int group, int place)
    {
        int at = group * _perGroup + place, grid = 2 * (group / _groupsPerGrid);
        return _floats is not null ? _floats[at] : MathF.FusedMultiplyAdd(_bytes is not null ? _bytes[at] : _words![at], _scales[grid + 1], _scales[grid]);
    }
}
