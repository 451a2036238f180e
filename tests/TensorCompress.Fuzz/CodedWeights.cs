using System.Text.Json.Nodes;
using TensorCompress.Compression;
using TensorCompress.Compression.Qet;
using TensorCompress.Storage;
using TensorCompress.Tensors;

namespace TensorCompress.Fuzz;

/// <summary>Weights with entropy-coded parts. An input is the number of a part and its stream; the other parts are whole.</summary>
public static class CodedWeights
{
    private const string Layer = "w", Parameter = "entropy_coded";

    private static readonly (CompressedWeight Weight, string Part)[] Parts =
    [
        .. new[]
        {
            "qet:bits=5:form=universal:entropy-coding=true", "qet:bits=12:subspaces=16:layers=1,0:shares=0.6,0.4:codebook-bits=8:entropy-coding=true",
            "qet:bits=24:subspaces=8:layers=0:shares=1:codebook-bits=6:rotate=learnt:entropy-coding=true",
        }.Select(Compress).SelectMany(weight => ((JsonObject)weight.Parameters[Parameter]!).Select(part => (weight, part.Key))),
    ];

    /// <summary>One of each coded part.</summary>
    public static byte[][] Seeds { get; } = [.. Parts.Select((part, index) => (byte[])[(byte)index, .. Bytes(part.Weight, part.Part)])];

    /// <summary>Tensors of the codec on their own, with swaps and behind a learnt rotation.</summary>
    public static byte[][] QetTensors { get; } =
    [
        .. Parts.Select(part => part.Weight).OfType<QetWeight>().Distinct().Select(weight =>
        {
            using var stream = new MemoryStream();
            weight.Tensor.Write(stream);
            return stream.ToArray();
        }),
    ];

    /// <summary>Changes the stream.</summary>
    public static byte[] Mutate(Mutator mutator, byte[] seed)
    {
        ArgumentNullException.ThrowIfNull(mutator);
        return mutator.Bytes(seed, 1);
    }

    /// <summary>Reads a weight with the stream in its place.</summary>
    public static void Parse(byte[] input)
    {
        ArgumentNullException.ThrowIfNull(input);
        (CompressedWeight weight, string part) = Parts[input[0] % Parts.Length];
        JsonObject parameters = weight.Parameters;
        parameters[Parameter]![part] = input.Length - 1;
        using var tensors = new Tensors(weight, part, input.AsSpan(1).ToArray());
        using CompressedWeight read = weight.Method.Read(new StoredWeight(Layer, weight.OutputDimension, weight.InputDimension, parameters, tensors));
    }

    private static CompressedWeight Compress(string options)
    {
        var random = new Random(3);
        using var matrix = new Matrix<float>(128, 64);
        for (int row = 0; row < 128; row++)
        {
            foreach (ref float value in matrix.Row(row)) value = MathF.Round(8 * (random.NextSingle() + random.NextSingle() + random.NextSingle()) - 12); // with ties, so that swaps are no coin tosses
        }

        MethodOptions parsed = CompressionMethods.ParseOptions(options);
        return parsed.Method.Compress(matrix.View, parsed, new CompressionContext());
    }

    private static byte[] Bytes(CompressedWeight weight, string part)
    {
        using var stream = new MemoryStream();
        weight.Parts.Single(candidate => candidate.Name == part).Write(stream);
        return stream.ToArray();
    }

    /// <summary>The parts of a weight in memory, one of them another.</summary>
    private sealed class Tensors : ITensorSource
    {
        private readonly Dictionary<string, byte[]> _bytes = [];
        private readonly Dictionary<string, TensorInfo> _tensors = [];

        public Tensors(CompressedWeight weight, string changed, byte[] stream)
        {
            foreach (WeightPart part in weight.Parts)
            {
                string name = $"{Layer}.{weight.Method.Name}.{part.Name}";
                _bytes.Add(name, part.Name == changed ? stream : Bytes(weight, part.Name));
                _tensors.Add(name, new TensorInfo(name, part.ElementType, part.Name == changed ? [stream.Length] : part.Shape));
            }
        }

        IReadOnlyDictionary<string, TensorInfo> ITensorSource.Tensors => _tensors;

        public void ReadBytes(string name, long offset, Span<byte> destination) => _bytes[name].AsSpan((int)offset, destination.Length).CopyTo(destination);

        public void ReadSingles(string name, long firstElement, Span<float> destination) => throw new NotSupportedException(name);

        public void Dispose()
        {
        }
    }
}
