using System.Text.Json.Nodes;
using TensorCompress.Compression;
using TensorCompress.Compression.Qet;
using TensorCompress.Compression.Qet.Universal;
using TensorCompress.Layers;
using TensorCompress.Numerics;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using Xunit.Abstractions;

namespace TensorCompress.Tests.Compression.Qet;

public sealed class EntropyCodingTests(ITestOutputHelper output)
{
    private const string Layer = "model.layers.0.mlp.up_proj", Parameter = "entropy_coded";

    public static TheoryData<string> AllOptions() =>
    [
        "qet:bits=2.28:form=universal", "qet:bits=3.3:form=universal", "qet:bits=5.1:form=universal:rotation=1", "qet:bits=3:form=fitted",
        "qet:bits=2.5:subspaces=8:layers=3,0:shares=0.7,0.3:codebook-bits=10", "qet:bits=3:subspaces=32:layers=1,0,0:shares=0.6,0.2,0.2:codebook-bits=8:grid-per-group=true",
        "qet:bits=16:subspaces=16:layers=0,0:shares=0.5,0.5:codebook-bits=5:beam=4:rotate=learnt", "qet:bits=4:subspaces=16:layers=0:shares=1:codebook-bits=32:rotate=hadamard",
    ];

    [Theory]
    [MemberData(nameof(AllOptions))]
    public void A_coded_weight_is_smaller_and_everything_else_is_the_same(string text)
    {
        foreach ((string kind, Matrix<float> values) in Matrices())
        {
            using Matrix<float> matrix = values;
            if (matrix.Rows < 64 && text.Contains("subspaces", StringComparison.Ordinal)) continue; // the budget does not pay
            using CompressedWeight plain = Compress(matrix, text), coded = Compress(matrix, text + ":entropy-coding=true");
            Assert.True(coded.StoredBytes <= plain.StoredBytes);
            Assert.Equal(plain.Parts.Select(part => part.Name), coded.Parts.Select(part => part.Name));
            Assert.Null(plain.Parameters[Parameter]);
            output.WriteLine($"{kind}: {plain.StoredBytes} to {coded.StoredBytes} bytes, {1 - (double)coded.StoredBytes / plain.StoredBytes:P2} less: {coded.Explain().Facts.FirstOrDefault(fact => fact.Key == "entropy coded").Value}");

            using MemoryTensors expected = MemoryTensors.Of(Layer, plain), stored = MemoryTensors.Of(Layer, coded);
            foreach (WeightPart part in plain.Parts)
            {
                string tensor = $"{Layer}.qet.{part.Name}";
                if (coded.Parameters[Parameter]?[part.Name]?.GetValue<int>() is { } bytes)
                {
                    Assert.Equal(bytes, stored.Bytes[tensor].Length);
                    Assert.True(bytes < expected.Bytes[tensor].Length);
                    Assert.Equal([bytes], stored.Tensors[tensor].Shape);
                }
                else
                {
                    Assert.Equal(expected.Bytes[tensor], stored.Bytes[tensor]);
                }
            }

            using CompressedWeight read = Read(coded, stored);
            using LinearLayer one = plain.CreateLayer(), other = read.CreateLayer();
            using Matrix<float> dense = plain.ToDense(), reread = read.ToDense();
            float[] first = new float[matrix.Columns], second = new float[matrix.Columns];
            for (int row = 0; row < matrix.Rows; row++)
            {
                Assert.True(dense.Row(row).SequenceEqual(reread.Row(row)));
                one.DecodeRow(row, first);
                other.DecodeRow(row, second);
                Assert.Equal(first, second);
            }

            Assert.Equal(one.ResidentBytes, other.ResidentBytes);
            if (kind != "gaussian") continue;
            Assert.True(coded.StoredBytes < plain.StoredBytes);
            foreach (string tensor in stored.Bytes.Keys.ToArray()) Assert.Equal(stored.Bytes[tensor], MemoryTensors.Of(Layer, read).Bytes[tensor]);
        }
    }

    [Theory]
    [MemberData(nameof(AllOptions))]
    public void A_reader_written_from_the_format_alone_decodes_the_same(string text)
    {
        using Matrix<float> matrix = Draw(160, 96);
        using CompressedWeight plain = Compress(matrix, text), coded = Compress(matrix, text + ":entropy-coding=true");
        using MemoryTensors expected = MemoryTensors.Of(Layer, plain), stored = MemoryTensors.Of(Layer, coded);
        string[] parts = [.. ((JsonObject)coded.Parameters[Parameter]!).Select(entry => entry.Key)];
        byte[] Plain(string part) => expected.Bytes[$"{Layer}.qet.{part}"];
        void Check(string part, Func<FormatStream, byte[]> decode)
        {
            if (!parts.Contains(part)) return;
            var stream = new FormatStream(stored.Bytes[$"{Layer}.qet.{part}"]);
            Assert.Equal(Plain(part), decode(stream));
            Assert.True(stream.IsAtEnd);
        }

        if (coded is UniversalWeight universal)
        {
            int[] rates = [.. universal.Rows.Rates.Select(rate => (int)rate)];
            Check("rates", stream => FormatStream.Pack(rates.SelectMany(_ => stream.Modelled("", 6) is var rate ? new[] { rate & 1, rate >> 1 & 1, rate >> 2 } : [])));
            Check("scales", stream => [.. rates.SelectMany(rate => BitConverter.GetBytes((ushort)stream.Half(rate)))]);
            Check("codes", stream => stream.Words(rates, 96 / 8));
            return;
        }

        QetTensor tensor = ((QetWeight)coded).Tensor;
        int groups = tensor.Plan.Options.Subspaces;
        int[,]? kinds = null;
        for (int i = 0; i < tensor.Stages.Count; i++)
        {
            QetEncodedStage stage = tensor.Stages[i];
            Check($"swaps{i}", stream => stream.Swaps(160, 96, stage.SwapLayers));
            Check($"codebook{i}", stream => stream.Codebook(groups, 96 / groups * stage.Centroids, tensor.Plan.Options.CodebookBits));
            float[] numbers = new float[96 * stage.Centroids];
            stage.Codebook.Decode(0, numbers);
            double[][] lengths = [.. numbers.Chunk(numbers.Length / groups).Select(group => (double[])[.. group.Chunk(96 / groups).Select(centroid => centroid.Aggregate(0.0, (sum, number) => sum + (double)number * number))])];
            int[,]? before = kinds;
            kinds = new int[160, groups];
            for (int k = 0; k < 160 * groups; k++) kinds[k / groups, k % groups] = 4 * FormatStream.ClassOf(lengths[k % groups], stage.Code(k / groups, groups, k % groups)) / Math.Min(16, stage.Centroids);
            Check($"codes{i}", stream => FormatStream.Pack(stream.Codes(160, lengths, before).Cast<int>().SelectMany(code => Enumerable.Range(0, stage.CodeBits).Select(b => code >> b & 1))));
        }

        Check("rotation", stream => [.. Enumerable.Range(0, 96 * 96).SelectMany(_ => BitConverter.GetBytes((ushort)stream.Half("")))]);
    }

    [Theory]
    [MemberData(nameof(AllOptions))]
    public void Damaged_streams_are_refused(string text)
    {
        using Matrix<float> matrix = Draw(160, 96);
        using CompressedWeight weight = Compress(matrix, text + ":entropy-coding=true");
        var lengths = (JsonObject)weight.Parameters[Parameter]!;
        Assert.NotEmpty(lengths);
        foreach ((string part, JsonNode? node) in lengths.ToArray())
        {
            string tensor = $"{Layer}.qet.{part}";
            int length = node!.GetValue<int>();
            void Refused(byte[] bytes, params TensorFormatError[] kinds)
            {
                using MemoryTensors stored = MemoryTensors.Of(Layer, weight);
                stored.Add(new TensorInfo(tensor, ElementType.U8, [bytes.Length]), bytes);
                JsonObject parameters = weight.Parameters;
                parameters[Parameter]![part] = bytes.Length;
                var fault = Assert.Throws<TensorFormatException>(() => weight.Method.Read(new StoredWeight(Layer, weight.OutputDimension, weight.InputDimension, parameters, stored)));
                Assert.Contains(fault.Kind, kinds);
                Assert.Equal(tensor, fault.Tensor);
            }

            byte[] whole = MemoryTensors.Of(Layer, weight).Bytes[tensor];
            for (int cut = 1; cut < length; cut += Math.Max(1, length / 20)) Refused(whole[..cut], TensorFormatError.Truncated, TensorFormatError.Value);
            Refused([.. whole, 0], TensorFormatError.Trailing, TensorFormatError.Value); // Value where the byte makes it as long as the plain part
            var random = new SeededRandom(4);
            for (int trial = 0; trial < 40; trial++)
            {
                byte[] changed = [.. whole];
                changed[random.NextInt32(length)] ^= (byte)(1 << random.NextInt32(8));
                using MemoryTensors stored = MemoryTensors.Of(Layer, weight);
                stored.Bytes[tensor] = changed;
                try
                {
                    using CompressedWeight read = Read(weight, stored); // other numbers, as a changed byte of a part that is not coded gives
                    Assert.Equal(changed, MemoryTensors.Of(Layer, read).Bytes[tensor]);
                }
                catch (TensorFormatException fault)
                {
                    Assert.Contains(fault.Kind, new[] { TensorFormatError.Truncated, TensorFormatError.Trailing, TensorFormatError.Value });
                }
            }

            Refused(new byte[1], TensorFormatError.Truncated, TensorFormatError.Value);
        }
    }

    [Fact]
    public void Absurd_declarations_are_refused_before_memory_is_taken()
    {
        using Matrix<float> matrix = Draw(256, 256);
        using CompressedWeight weight = Compress(matrix, "qet:bits=3.3:form=universal:entropy-coding=true");
        void Refused(TensorFormatError kind, JsonNode? node, int rows = 256)
        {
            using MemoryTensors stored = MemoryTensors.Of(Layer, weight);
            JsonObject parameters = weight.Parameters;
            parameters[Parameter] = node;
            parameters = JsonNode.Parse(parameters.ToJsonString())!.AsObject();
            long before = GC.GetAllocatedBytesForCurrentThread();
            Assert.Equal(kind, Assert.Throws<TensorFormatException>(() => weight.Method.Read(new StoredWeight(Layer, rows, 256, parameters, stored))).Kind);
            Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 16 << 20);
        }

        int codes = weight.Parameters[Parameter]!["codes"]!.GetValue<int>(), rates = weight.Parameters[Parameter]!["rates"]!.GetValue<int>();
        Refused(TensorFormatError.Structure, null);
        Refused(TensorFormatError.Structure, "codes");
        Refused(TensorFormatError.Structure, new JsonArray("codes"));
        Refused(TensorFormatError.Value, new JsonObject { ["codes"] = 0 });
        Refused(TensorFormatError.Value, new JsonObject { ["codes"] = 1.5 });
        Refused(TensorFormatError.Value, new JsonObject { ["codes"] = 1L << 40 });
        Refused(TensorFormatError.Value, new JsonObject { ["rates"] = rates, ["codes"] = int.MaxValue }); // not shorter than plain
        Refused(TensorFormatError.Value, new JsonObject { ["rates"] = rates, ["codes"] = 5 }); // would stand for too much
        Refused(TensorFormatError.Shape, new JsonObject { ["rates"] = rates, ["codes"] = codes - 1 });
        var other = (JsonObject)weight.Parameters[Parameter]!.DeepClone();
        other["rotation"] = 7; // another form's part
        Refused(TensorFormatError.Value, other);
        Refused(TensorFormatError.Shape, new JsonObject()); // the streams are there, but nothing says so
        Refused(TensorFormatError.Value, new JsonObject { ["rates"] = rates, ["codes"] = codes }, rows: 1 << 20);
    }

    [Fact]
    public void Decoded_values_are_checked_like_stored_ones()
    {
        using Matrix<float> matrix = Draw(512, 64);
        using CompressedWeight weight = Compress(matrix, "qet:bits=3.3:form=universal:entropy-coding=true");
        byte[] rates = new byte[512];
        byte[] scales = new byte[1024];
        var encoder = new EntropyEncoder();
        for (int row = 0; row < 512; row++) rates[row] = 3;
        for (int row = 0; row < 512; row++) (scales[2 * row], scales[2 * row + 1]) = (0x00, 0x3C);
        scales[601] = 0xFC; // infinite
        WordCoding.Scales(ref encoder, rates, scales);
        byte[] stream = encoder.Complete();
        using MemoryTensors stored = MemoryTensors.Of(Layer, weight);
        stored.Add(new TensorInfo($"{Layer}.qet.scales", ElementType.U8, [stream.Length]), stream);
        stored.Add(new TensorInfo($"{Layer}.qet.codes", ElementType.U8, [512 * 24]), new byte[512 * 24]);
        JsonObject parameters = weight.Parameters;
        parameters["rate"] = 3;
        parameters[Parameter] = new JsonObject { ["scales"] = stream.Length };
        var fault = Assert.Throws<TensorFormatException>(() => weight.Method.Read(new StoredWeight(Layer, 512, 64, parameters, stored)));
        Assert.Equal(TensorFormatError.Value, fault.Kind);
        Assert.Equal($"{Layer}.qet.scales", fault.Tensor);
    }

    [Theory]
    [MemberData(nameof(AllOptions))]
    [InlineData("qet:bits=4:subspaces=3:layers=1,0:shares=0.5,0.5:codebook-bits=7", 36)]
    [InlineData("qet:bits=2.9:form=universal", 36)]
    public void The_account_of_a_weight_is_that_of_its_file(string text, int columns = 96)
    {
        const int Rows = 161;
        using Matrix<float> matrix = Draw(Rows, columns);
        foreach (string coding in new[] { "", ":entropy-coding=true" })
        {
            using CompressedWeight weight = Compress(matrix, text + coding);
            using MemoryTensors stored = MemoryTensors.Of(Layer, weight);
            long padding = 0;
            var left = stored.Bytes.Keys.ToHashSet();

            // Numbers of a part, or its stream if it is coded, which nothing fills up.
            long BitsOf(string part, long numbers)
            {
                string tensor = $"{Layer}.qet.{part}";
                if (!left.Remove(tensor)) Assert.Equal(0, numbers);
                if (!stored.Bytes.TryGetValue(tensor, out byte[]? bytes)) return 0;
                if (weight.Parameters[Parameter]?[part] is not null) return 8 * bytes.Length;
                padding += 8 * bytes.Length - numbers;
                return numbers;
            }

            Dictionary<string, long> expected = [], accounted = [];
            if (weight is UniversalWeight universal)
            {
                int[] wordBits = [.. universal.Rows.Rates.Select(rate => new[] { 12, 16, 20, 24, 32, 40 }[rate])]; // docs/format.md
                bool isMixed = wordBits.Distinct().Count() > 1, isWide = weight.Parameters["scales"]!.GetValue<string>() == "F32";
                (expected["codes"], expected["scales"], expected["rates"]) = (BitsOf("codes", wordBits.Sum() * ((columns + 7) / 8)), BitsOf("scales", Rows * (isWide ? 32 : 16)), BitsOf("rates", isMixed ? 3 * Rows : 0));
                (accounted["codes"], accounted["scales"], accounted["rates"], accounted["padding"]) = universal.Account();
            }
            else
            {
                var fitted = (QetWeight)weight;
                QetOptions options = fitted.Tensor.Plan.Options;
                int grids = options.CodebookBits == 32 ? 0 : options.GridPerGroup ? options.Subspaces : 1;
                for (int i = 0; i < options.Stages.Count; i++)
                {
                    int centroids = fitted.Tensor.Plan.Centroids[i];
                    void Add(string kind, string part, long bits) => expected[kind] = expected.GetValueOrDefault(kind) + BitsOf(part + i, bits);
                    Add("codes", "codes", Rows * options.Subspaces * (long)Math.Ceiling(Math.Log2(centroids)));
                    Add("swaps", "swaps", Rows * columns / 2 * options.Stages[i].SwapLayers);
                    Add("codebooks", "codebook", columns * centroids * options.CodebookBits);
                    Add("scales", "scales", grids * 64);
                }

                expected["rotation"] = BitsOf("rotation", options.Rotation == QetRotation.Learnt ? columns * columns * 16 : 0);
                BitAccount account = fitted.Account();
                accounted = new() { ["codes"] = account.Codes, ["swaps"] = account.Swaps, ["codebooks"] = account.Codebooks, ["scales"] = account.Scales, ["rotation"] = account.Rotation, ["padding"] = account.Padding };
            }

            expected["padding"] = padding;
            Assert.Empty(left);
            Assert.Equal(expected.OrderBy(kind => kind.Key), accounted.OrderBy(kind => kind.Key));
            Assert.Equal(8 * weight.StoredBytes, accounted.Values.Sum());
            Dictionary<string, double> told = weight.Explain().Facts.Single(fact => fact.Key == "bits per weight").Value.Split(", ").Select(entry => entry.Split(' '))
                .ToDictionary(entry => entry[0], entry => double.Parse(entry[1], System.Globalization.CultureInfo.InvariantCulture));
            Assert.Equal(expected.Keys.Order(), told.Keys.Order());
            foreach ((string kind, long bits) in expected) Assert.Equal((double)bits / (Rows * columns), told[kind], 0.00051);
            output.WriteLine($"{text}{coding}: {string.Join(", ", expected.Select(kind => $"{kind.Key} {kind.Value}"))}");
        }
    }

    [Fact]
    public void Second_words_are_coded_behind_the_first_ones_near_their_entropy()
    {
        using Matrix<float> matrix = Draw(512, 512);
        using CompressedWeight plain = Compress(matrix, "qet:bits=4.1:form=universal:rotation=1"), coded = Compress(matrix, "qet:bits=4.1:form=universal:rotation=1:entropy-coding=true");
        double gain = 1 - (double)coded.Parts[0].ByteLength / plain.Parts[0].ByteLength;
        output.WriteLine($"{gain:P3} of the words");
        Assert.InRange(gain, 0.01, 0.03);
    }

    private static IEnumerable<(string Kind, Matrix<float> Values)> Matrices()
    {
        yield return ("gaussian", Draw(160, 96));
        yield return ("few rows", Draw(40, 96));
        Matrix<float> steps = Draw(160, 96);
        for (int i = 0; i < 160 * 96; i++) steps[i / 96, i % 96] = MathF.Round(steps[i / 96, i % 96]);
        yield return ("steps", steps);
        yield return ("zero", new Matrix<float>(160, 96));
    }

    private static Matrix<float> Draw(int rows, int columns) => RandomMatrices.Gaussian(rows, columns, 5);

    private static CompressedWeight Compress(Matrix<float> values, string text) => QetMethod.Instance.Compress(values.View, CompressionMethods.ParseOptions(text), new CompressionContext());

    private static CompressedWeight Read(CompressedWeight weight, MemoryTensors stored) =>
        weight.Method.Read(new StoredWeight(Layer, weight.OutputDimension, weight.InputDimension, JsonNode.Parse(weight.Parameters.ToJsonString())!.AsObject(), stored));
}
