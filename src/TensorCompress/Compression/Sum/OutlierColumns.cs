using System.Buffers.Binary;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Sum;

/// <summary>A few columns of a matrix: a factor [output, count] and the inputs that it belongs to.</summary>
/// <param name="indices">Inputs, ascending.</param>
/// <param name="values">The columns side by side; taken over.</param>
internal sealed class OutlierColumns(int[] indices, StoredFactor values) : IDisposable
{
    internal const string ValuesPart = "column_values", IndicesPart = "column_indices";

    public IReadOnlyList<int> Indices => indices;

    public ElementType Type => values.Type;

    public long ByteLength => values.ByteLength;

    public IEnumerable<WeightPart> Parts =>
    [
        values.Part(ValuesPart),
        new WeightPart(IndicesPart, ElementType.I32, [indices.Length], stream =>
        {
            byte[] bytes = new byte[sizeof(int) * indices.Length];
            for (int i = 0; i < indices.Length; i++) BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(sizeof(int) * i), indices[i]);
            stream.Write(bytes);
        }),
    ];

    /// <summary>Reads columns.</summary>
    /// <exception cref="TensorFormatException">A part is missing, of another shape or type, holds a value that is not finite, or inputs that do not ascend or are not there.</exception>
    public static OutlierColumns Read(StoredWeight stored, ICompressionMethod method, int count, ElementType type)
    {
        int[] indices = new int[count];
        using (Matrix<byte> bytes = stored.ReadBytes(method, IndicesPart, ElementType.I32, [count]))
        {
            for (int i = 0; i < count; i++)
            {
                indices[i] = BinaryPrimitives.ReadInt32LittleEndian(bytes.Row(i));
                if (indices[i] <= (i == 0 ? -1 : indices[i - 1]) || indices[i] >= stored.InputDimension)
                    throw stored.Fault(TensorFormatError.Value, $"input {indices[i]} at place {i}; inputs ascend and are less than {stored.InputDimension}", StoredParts.TensorName(stored.Layer, method, IndicesPart));
            }
        }

        return new OutlierColumns(indices, StoredFactor.Read(stored, method, ValuesPart, type, [stored.OutputDimension, count], stored.OutputDimension));
    }

    public OutlierColumns Clone() => new(indices, values.Clone());

    /// <summary>y = C x over the inputs of the columns.</summary>
    /// <param name="input">[tokens, input].</param>
    /// <param name="gathered">Scratch, [tokens, count].</param>
    /// <param name="destination">[tokens, output], overwritten.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    public void Multiply(MatrixView<float> input, MatrixView<float> gathered, MatrixView<float> destination, ComputePool pool)
    {
        for (nint token = 0; token < input.Rows; token++)
        {
            ReadOnlySpan<float> source = input.Row(token);
            Span<float> row = gathered.Row(token);
            for (int i = 0; i < indices.Length; i++) row[i] = source[indices[i]];
        }

        values.Multiply(gathered, destination, pool);
    }

    /// <summary>Adds one row of the columns to a row of W.</summary>
    public void AddRow(int row, Span<float> destination)
    {
        Span<float> own = indices.Length <= 64 ? stackalloc float[indices.Length] : new float[indices.Length];
        values.ReadRow(row, own);
        for (int i = 0; i < own.Length; i++) destination[indices[i]] += own[i];
    }

    public void Dispose() => values.Dispose();
}
