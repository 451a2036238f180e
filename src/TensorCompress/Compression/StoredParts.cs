using System.Text.Json.Nodes;
using TensorCompress.Kernels;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Compression;

/// <summary>Reads parameters and parts of a stored weight; whatever does not fit is a <see cref="TensorFormatException"/>, found before anything is allocated.</summary>
internal static class StoredParts
{
    private const int BytesAtATime = 1 << 24;
    private const int ElementsAtATime = 1 << 14;

    /// <summary>The full name of a part in a file.</summary>
    public static string TensorName(string layer, ICompressionMethod method, string part) => $"{layer}.{method.Name}.{part}";

    /// <summary>An integer parameter in a range.</summary>
    public static int Int32(this StoredWeight stored, string name, int minimum, int maximum)
    {
        if (!stored.Value(name).TryGetValue(out int value)) throw stored.Fault(TensorFormatError.Structure, $"parameter \"{name}\" is not an integer");
        return value >= minimum && value <= maximum
            ? value
            : throw stored.Fault(TensorFormatError.Value, $"parameter \"{name}\" is {value}; it is {minimum} to {maximum}");
    }

    /// <summary>A parameter that is one of a few words.</summary>
    public static string Text(this StoredWeight stored, string name, params ReadOnlySpan<string> allowed)
    {
        string text = stored.Value(name).TryGetValue(out string? value) ? value : "";
        return allowed.Contains(text) ? text : throw stored.Fault(TensorFormatError.Value, $"parameter \"{name}\" is \"{text}\"; it is one of {string.Join(", ", allowed.ToArray())}");
    }

    /// <summary>A parameter that is true or false.</summary>
    public static bool Boolean(this StoredWeight stored, string name) =>
        stored.Value(name).TryGetValue(out bool value) ? value : throw stored.Fault(TensorFormatError.Structure, $"parameter \"{name}\" is neither true nor false");

    /// <summary>A parameter that is a finite number, not negative.</summary>
    public static double NonNegative(this StoredWeight stored, string name)
    {
        if (!stored.Value(name).TryGetValue(out double value)) throw stored.Fault(TensorFormatError.Structure, $"parameter \"{name}\" is not a number");
        return double.IsFinite(value) && value >= 0 ? value : throw stored.Fault(TensorFormatError.Value, $"parameter \"{name}\" is {value}; it is finite and not negative");
    }

    /// <summary>A parameter that is one of a few element types, by its name.</summary>
    public static ElementType ElementType(this StoredWeight stored, string name, params ReadOnlySpan<ElementType> allowed)
    {
        string text = stored.Value(name).TryGetValue(out string? value) ? value : "";
        return ElementTypes.TryParse(text, out ElementType type) && allowed.Contains(type)
            ? type
            : throw stored.Fault(TensorFormatError.Type, $"parameter \"{name}\" is \"{text}\"; it is one of {string.Join(", ", allowed.ToArray().Select(a => a.Name()))}");
    }

    /// <summary>A parameter that is a list of positive integers.</summary>
    public static int[] PositiveList(this StoredWeight stored, string name, int maximumCount)
    {
        if (stored.Parameters[name] is not JsonArray array) throw stored.Fault(TensorFormatError.Structure, $"parameter \"{name}\" is not a list");
        if (array.Count < 1 || array.Count > maximumCount) throw stored.Fault(TensorFormatError.Value, $"parameter \"{name}\" has {array.Count} entries; 1 to {maximumCount} are possible");
        return [.. array.Select(entry => entry is JsonValue number && number.TryGetValue(out int value) && value > 0
            ? value
            : throw stored.Fault(TensorFormatError.Value, $"parameter \"{name}\" has an entry that is not a positive integer"))];
    }

    /// <summary>A parameter that is a list of integers in a range.</summary>
    public static int[] Int32List(this StoredWeight stored, string name, int count, int minimum, int maximum)
    {
        if (stored.Parameters[name] is not JsonArray array) throw stored.Fault(TensorFormatError.Structure, $"parameter \"{name}\" is not a list");
        if (array.Count != count) throw stored.Fault(TensorFormatError.Value, $"parameter \"{name}\" has {array.Count} entries, not {count}");
        return [.. array.Select(entry => entry is JsonValue number && number.TryGetValue(out int value) && value >= minimum && value <= maximum
            ? value
            : throw stored.Fault(TensorFormatError.Value, $"parameter \"{name}\" has an entry that is not an integer from {minimum} to {maximum}"))];
    }

    /// <summary>Reads a part of known type and shape.</summary>
    /// <param name="stored">The weight.</param>
    /// <param name="method">The method whose part it is.</param>
    /// <param name="part">The part's name.</param>
    /// <param name="type">The type that it must have.</param>
    /// <param name="shape">The shape that it must have, at least one dimension.</param>
    /// <returns>Its stored bytes, one row for each index of the first dimension.</returns>
    public static Matrix<byte> ReadBytes(this StoredWeight stored, ICompressionMethod method, string part, ElementType type, params ReadOnlySpan<long> shape)
    {
        string name = TensorName(stored.Layer, method, part);
        if (!stored.Tensors.Tensors.TryGetValue(name, out TensorInfo? tensor)) throw stored.Fault(TensorFormatError.Inconsistent, "the tensor is missing", name);
        if (tensor.ElementType != type) throw stored.Fault(TensorFormatError.Type, $"elements of type {tensor.ElementType.Name()} where {type.Name()} is required", name);
        if (!shape.SequenceEqual([.. tensor.Shape]))
            throw stored.Fault(TensorFormatError.Shape, $"shape [{string.Join(", ", tensor.Shape)}] where [{string.Join(", ", shape.ToArray())}] is required", name);
        var matrix = new Matrix<byte>((nint)shape[0], (nint)(tensor.ByteLength / shape[0]));
        nint step = nint.Max(1, BytesAtATime / matrix.Columns);
        for (nint row = 0; row < matrix.Rows; row += step) stored.Tensors.ReadBytes(name, row * matrix.Columns, matrix.RowSpan(row, nint.Min(step, matrix.Rows - row)));
        return matrix;
    }

    /// <summary>Refuses elements that are NaN or infinite.</summary>
    /// <param name="stored">The weight.</param>
    /// <param name="method">The method whose part it is.</param>
    /// <param name="part">The part's name.</param>
    /// <param name="type">The type of the elements.</param>
    /// <param name="values">What <see cref="ReadBytes"/> gave.</param>
    public static void ThrowIfNotFinite(this StoredWeight stored, ICompressionMethod method, string part, ElementType type, Matrix<byte> values)
    {
        int size = type.BitWidth() / 8;
        nint rows = nint.Max(1, ElementsAtATime * size / nint.Max(1, values.Columns));
        float[] decoded = new float[nint.Min(rows, values.Rows) * values.Columns / size];
        for (nint row = 0; row < values.Rows; row += rows)
        {
            Span<byte> bytes = values.RowSpan(row, nint.Min(rows, values.Rows - row));
            Span<float> block = decoded.AsSpan(0, bytes.Length / size);
            ElementConversion.ToSingle(type, bytes, block);
            if (Finiteness.IsWhole(block)) continue;
            int index = 0;
            while (float.IsFinite(block[index])) index++;
            string name = TensorName(stored.Layer, method, part);
            throw new TensorFormatException(TensorFormatError.Value, $"an element is {block[index]}", tensor: name, offset: row * values.Columns + index * size);
        }
    }

    /// <summary>Describes what is wrong with the weight or one of its tensors.</summary>
    public static TensorFormatException Fault(this StoredWeight stored, TensorFormatError kind, string reason, string? tensor = null) =>
        new(kind, reason, tensor: tensor ?? stored.Layer);

    /// <summary>The part that holds the bytes of a matrix, row by row.</summary>
    public static WeightPart Part(string name, ElementType type, IReadOnlyList<long> shape, Matrix<byte> values) => new(name, type, shape, stream =>
    {
        for (nint row = 0; row < values.Rows; row++) stream.Write(values.Row(row));
    });

    private static JsonValue Value(this StoredWeight stored, string name) =>
        stored.Parameters[name] as JsonValue ?? throw stored.Fault(TensorFormatError.Structure, $"parameter \"{name}\" is missing");
}
