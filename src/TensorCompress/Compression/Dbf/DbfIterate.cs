using System.Runtime.InteropServices;
using TensorCompress.Storage;

namespace TensorCompress.Compression.Dbf;

/// <summary>Signs and scales at some round: <c>T ~ diag(a) A diag(d) B diag(b)</c>.</summary>
internal sealed class DbfIterate
{
    /// <summary>A by middle channel, [k, m].</summary>
    public SignMatrix Outer { get; private set; } = null!;

    /// <summary>B, [k, n].</summary>
    public SignMatrix Inner { get; private set; } = null!;

    /// <summary>a.</summary>
    public double[] OutputScale { get; private set; } = [];

    /// <summary>d.</summary>
    public double[] MiddleScale { get; private set; } = [];

    /// <summary>b.</summary>
    public double[] InputScale { get; private set; } = [];

    /// <summary>Takes what the factors hold.</summary>
    public void Take(SignFactor outer, SignFactor inner, float[] magnitudes)
    {
        Outer = SignMatrix.FromSigns(outer.Unit.View);
        Inner = SignMatrix.FromSigns(inner.Unit.View);
        OutputScale = [.. outer.Direction.Select(value => (double)value)];
        MiddleScale = [.. magnitudes.Select(value => (double)value)];
        InputScale = [.. inner.Direction.Select(value => (double)value)];
    }

    /// <summary>A copy that changes by itself.</summary>
    public DbfIterate Clone() => new() { Outer = Outer, Inner = Inner, OutputScale = [.. OutputScale], MiddleScale = [.. MiddleScale], InputScale = [.. InputScale] };

    /// <summary>Takes other signs; the scales stay.</summary>
    public void TakeSigns(SignMatrix outer, SignMatrix inner) => (Outer, Inner) = (outer, inner);

    /// <summary>Takes other scales; the signs stay.</summary>
    public void TakeScales(float[] output, float[] middle, float[] input) =>
        (OutputScale, MiddleScale, InputScale) = (Array.ConvertAll(output, value => (double)value), Array.ConvertAll(middle, value => (double)value), Array.ConvertAll(input, value => (double)value));

    /// <summary>Writes all of it.</summary>
    public void Save(BinaryWriter writer)
    {
        writer.Write(Outer.Bytes);
        writer.Write(Inner.Bytes);
        foreach (double[] scale in new[] { OutputScale, MiddleScale, InputScale }) writer.Write(MemoryMarshal.AsBytes<double>(scale));
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <exception cref="TensorFormatException">Bits are set where there are no signs.</exception>
    public static DbfIterate Read(BinaryReader reader, SignFactor outer, SignFactor inner) => new()
    {
        Outer = ReadSigns(reader, outer),
        Inner = ReadSigns(reader, inner),
        OutputScale = ReadScale(reader, outer.Direction.Length),
        MiddleScale = ReadScale(reader, outer.Magnitudes.Length),
        InputScale = ReadScale(reader, inner.Direction.Length),
    };

    private static SignMatrix ReadSigns(BinaryReader reader, SignFactor shape)
    {
        int rows = shape.Magnitudes.Length, columns = shape.Direction.Length;
        byte[] bytes = new byte[checked(rows * ((columns - 1) / 8 + 1))];
        reader.ReadExactly(bytes);
        try
        {
            return new SignMatrix(rows, columns, bytes);
        }
        catch (ArgumentException fault)
        {
            throw new TensorFormatException(TensorFormatError.Value, fault.Message, innerException: fault);
        }
    }

    private static double[] ReadScale(BinaryReader reader, int length)
    {
        double[] scale = new double[length];
        reader.ReadExactly(MemoryMarshal.AsBytes(scale.AsSpan()));
        return scale;
    }
}
