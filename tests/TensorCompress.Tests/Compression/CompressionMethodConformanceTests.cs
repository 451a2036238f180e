using System.Text.Json.Nodes;
using TensorCompress.Compression;
using TensorCompress.Compression.Qet;
using TensorCompress.Kernels;
using TensorCompress.Layers;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression;

/// <summary>What every compression method promises. A new method in <see cref="CompressionMethods.All"/> is tested here without a line of its own.</summary>
public sealed class CompressionMethodConformanceTests
{
    private const string Layer = "model.layers.0.mlp.up_proj";

    private static readonly (int Rows, int Columns)[] Shapes = [(1, 1), (1, 7), (7, 1), (5, 3), (2, 13), (33, 65), (64, 64), (48, 31), (17, 128)];

    /// <summary>Forms that no table shows, because their trials take long or others are better.</summary>
    private static readonly MethodOptions[] Unshown =
    [
        new QetMethodOptions(3, QetForm.Fitted),
        new QetMethodOptions(6, new QetOptions(1, [new QetStageOptions(0, 0.5), new QetStageOptions(0, 0.5)]) { BeamWidth = 4, Rotation = QetRotation.Hadamard }),
        new QetMethodOptions(3, QetForm.Universal) { EntropyCoding = true },
        new QetMethodOptions(12, new QetOptions(1, [new QetStageOptions(0, 1)], codebookBits: 6)) { EntropyCoding = true },
    ];

    /// <summary>Method, index into its options, kind of matrix, shape.</summary>
    public static TheoryData<string, int, string, int, int> Cases()
    {
        var cases = new TheoryData<string, int, string, int, int>();
        foreach (ICompressionMethod method in CompressionMethods.All)
        {
            for (int option = 0; option < OptionsOf(method).Length; option++)
            {
                foreach ((int rows, int columns) in Shapes) cases.Add(method.Name, option, "gaussian", rows, columns);
                cases.Add(method.Name, option, "zero", 6, 10);
                cases.Add(method.Name, option, "zero row", 9, 12);
                cases.Add(method.Name, option, "constant", 8, 24);
                cases.Add(method.Name, option, "low rank", 40, 24);
                cases.Add(method.Name, option, "trained", 64, 96);
            }
        }

        return cases;
    }

    private static MethodOptions[] OptionsOf(ICompressionMethod method) => [.. method.ShowcaseOptions, .. Unshown.Where(options => options.Method == method)];

    public static TheoryData<string> Methods() => [.. CompressionMethods.All.Select(method => method.Name)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Layer_multiplies_like_the_decompressed_matrix(string name, int option, string kind, int rows, int columns)
    {
        if (Compressed(name, option, kind, rows, columns) is not { } weight) return;
        using (weight)
        using (LinearLayer layer = weight.CreateLayer(RuntimeOptions.Exact))
        using (Matrix<float> dense = weight.ToDense())
        using (Matrix<float> input = RandomMatrices.Gaussian(5, columns, 77))
        using (Matrix<float> result = Multiply(layer, input.View, ComputePool.Shared))
        {
            weight.Dispose(); // the layer is independent of it
            Assert.True(MatrixOracle.LargestError(MatrixOracle.Product(dense.View, input.View), result.View) <= 1e-5);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Layer_with_default_options_stays_within_one_percent_of_it(string name, int option, string kind, int rows, int columns)
    {
        if (Compressed(name, option, kind, rows, columns) is not { } weight) return;
        using (weight)
        using (LinearLayer layer = weight.CreateLayer(), exact = weight.CreateLayer(RuntimeOptions.Exact))
        using (Matrix<float> input = RandomMatrices.Gaussian(50, columns, 77))
        using (Matrix<float> expected = Multiply(exact, input.View, ComputePool.Shared), result = Multiply(layer, input.View, ComputePool.Shared))
        {
            double error = MatrixOracle.RelativeError(expected.View, result.View);
            Assert.True(error < 0.01, $"relative error {error:P2}");
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Rows_are_those_of_the_decompressed_matrix(string name, int option, string kind, int rows, int columns)
    {
        if (Compressed(name, option, kind, rows, columns) is not { } weight) return;
        using (weight)
        using (LinearLayer layer = weight.CreateLayer())
        using (Matrix<float> dense = weight.ToDense())
        {
            using var decoded = new Matrix<float>(rows, columns);
            for (int row = 0; row < rows; row++) layer.DecodeRow(row, decoded.Row(row));
            Assert.True(MatrixOracle.RelativeError(dense.View, decoded.View) <= 1e-6);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_token_alone_has_the_bits_that_it_has_in_a_batch_at_any_thread_count(string name, int option, string kind, int rows, int columns)
    {
        if (Compressed(name, option, kind, rows, columns) is not { } weight) return;
        using (weight)
        using (LinearLayer layer = weight.CreateLayer())
        using (Matrix<float> input = RandomMatrices.Gaussian(37, columns, 5))
        {
            using var one = new ComputePool(1);
            using var three = new ComputePool(3);
            using Matrix<float> batch = Multiply(layer, input.View, one), threaded = Multiply(layer, input.View, three);
            for (nint token = 0; token < input.Rows; token++)
            {
                using Matrix<float> alone = Multiply(layer, input.RowRange(token, 1), one);
                Assert.True(alone.Row(0).SequenceEqual(batch.Row(token)));
                Assert.True(threaded.Row(token).SequenceEqual(batch.Row(token)));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Stored_form_reads_back_to_the_same_bytes_and_matrix(string name, int option, string kind, int rows, int columns)
    {
        if (Compressed(name, option, kind, rows, columns) is not { } weight) return;
        using (weight)
        {
            using MemoryTensors stored = MemoryTensors.Of(Layer, weight);
            Assert.Equal(stored.Bytes.Values.Sum(bytes => (long)bytes.Length), weight.StoredBytes);
            Assert.All(weight.Parts, part => Assert.Equal(part.ByteLength, stored.Bytes[PartName(weight, part)].Length));

            using CompressedWeight read = weight.Method.Read(Stored(weight, stored));
            using MemoryTensors again = MemoryTensors.Of(Layer, read);
            AssertSameBytes(stored, again);
            Assert.Equal(weight.Parameters.ToJsonString(), read.Parameters.ToJsonString());
            Assert.Equal(weight.Parts.Select(part => part.Name), read.Parts.Select(part => part.Name));
            using Matrix<float> dense = weight.ToDense(), reread = read.ToDense();
            for (nint row = 0; row < rows; row++) Assert.True(dense.Row(row).SequenceEqual(reread.Row(row)));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Same_seed_gives_the_same_bytes_at_any_thread_count(string name, int option, string kind, int rows, int columns)
    {
        using var one = new ComputePool(1);
        using var three = new ComputePool(3);
        if (Compressed(name, option, kind, rows, columns, one) is not { } first) return;
        using (first)
        using (CompressedWeight second = Compressed(name, option, kind, rows, columns, three)!)
        {
            using MemoryTensors a = MemoryTensors.Of(Layer, first), b = MemoryTensors.Of(Layer, second);
            AssertSameBytes(a, b);
            Assert.Equal(first.Parameters.ToJsonString(), second.Parameters.ToJsonString());
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Layer_keeps_little_more_memory_than_is_stored(string name, int option, string kind, int rows, int columns)
    {
        if (Compressed(name, option, kind, rows, columns) is not { } weight) return;
        using (weight)
        using (LinearLayer layer = weight.CreateLayer())
        {
            long counted = HeldMemory.Count(layer);
            Assert.True(counted <= 1.25 * weight.StoredBytes + (64 << 10), $"{counted} bytes held, {weight.StoredBytes} stored");
            Assert.InRange(layer.ResidentBytes, HeldMemory.CountMatrices(layer), counted);
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Weights_that_are_not_finite_are_refused_with_count_and_place(string name)
    {
        ICompressionMethod method = CompressionMethods.Get(name);
        foreach (float bad in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
        {
            using Matrix<float> weights = RandomMatrices.Gaussian(8, 12);
            weights[5, 3] = bad;
            weights[6, 0] = bad;
            var fault = Assert.ThrowsAny<ArgumentException>(() => method.Compress(weights.View, OptionsOf(method)[0], new CompressionContext()));
            Assert.Contains("2 weights", fault.Message, StringComparison.Ordinal);
            Assert.Contains("row 5, column 3", fault.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Options_survive_their_text_form_and_unknown_ones_are_refused(string name)
    {
        ICompressionMethod method = CompressionMethods.Get(name);
        foreach (MethodOptions options in OptionsOf(method))
        {
            Assert.Same(method, options.Method);
            Assert.Equal(options, method.ParseOptions(options.ToValues().ToDictionary()));
            var extended = options.ToValues().ToDictionary();
            extended.Add("no-such-option", "1");
            var fault = Assert.Throws<ArgumentException>(() => method.ParseOptions(extended));
            Assert.Contains("no-such-option", fault.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Options_of_another_method_are_refused(string name)
    {
        ICompressionMethod method = CompressionMethods.Get(name);
        using Matrix<float> weights = RandomMatrices.Gaussian(8, 8);
        foreach (ICompressionMethod other in CompressionMethods.All.Where(other => other != method))
            Assert.Throws<ArgumentException>(() => method.Compress(weights.View, OptionsOf(other)[0], new CompressionContext()));
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Parts_that_are_missing_or_of_another_shape_or_type_are_refused(string name)
    {
        foreach (MethodOptions options in OptionsOf(CompressionMethods.Get(name)))
        {
            using CompressedWeight weight = Compress(options, RandomMatrices.Gaussian(24, 36));
            foreach (WeightPart part in weight.Parts)
            {
                string tensor = PartName(weight, part);
                AssertRefused(weight, TensorFormatError.Inconsistent, stored => stored.Remove(tensor));
                AssertRefused(weight, TensorFormatError.Type, stored => stored.Add(stored.Tensors[tensor] with { ElementType = ElementType.F64 }, new byte[8 * part.ByteLength]));
                AssertRefused(weight, TensorFormatError.Shape, stored => stored.Add(stored.Tensors[tensor] with { Shape = [.. part.Shape, 2] }, new byte[2 * part.ByteLength]));
                AssertRefused(weight, TensorFormatError.Shape, stored => stored.Add(stored.Tensors[tensor] with { Shape = [part.Shape[0] + 1, .. part.Shape.Skip(1)] }, new byte[2 * part.ByteLength]));
                AssertRefused(weight, TensorFormatError.Shape, stored => stored.Add(stored.Tensors[tensor] with { Shape = [] }, new byte[8]));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Parts_with_floats_that_are_not_finite_are_refused(string name)
    {
        foreach (MethodOptions options in OptionsOf(CompressionMethods.Get(name)))
        {
            using CompressedWeight weight = Compress(options, RandomMatrices.Gaussian(24, 36));
            foreach (WeightPart part in weight.Parts.Where(part => part.ElementType is ElementType.F32 or ElementType.F16 or ElementType.BF16))
            {
                foreach (float bad in new[] { float.NaN, float.PositiveInfinity })
                {
                    AssertRefused(weight, TensorFormatError.Value, stored =>
                    {
                        byte[] bytes = stored.Bytes[PartName(weight, part)];
                        int size = part.ElementType.BitWidth() / 8;
                        ElementConversion.FromSingle([bad], part.ElementType, bytes.AsSpan(bytes.Length / 2 / size * size, size));
                    });
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Parameters_that_are_missing_or_absurd_are_refused(string name)
    {
        foreach (MethodOptions options in OptionsOf(CompressionMethods.Get(name)))
        {
            using CompressedWeight weight = Compress(options, RandomMatrices.Gaussian(24, 36));
            foreach (string parameter in weight.Parameters.Select(pair => pair.Key))
            {
                JsonNode?[] absurd =
                [
                    null, -1, int.MaxValue, 1e300, "no such thing", new JsonObject(), new JsonArray(), new JsonArray(0, -3),
                    new JsonArray([.. Enumerable.Repeat(0, 40).Select(_ => (JsonNode)65536)]), new JsonArray(1, 1 << 30, 1 << 30, 1),
                ];
                foreach (JsonNode? value in absurd.Where(value => !IsAllowed(parameter, value)))
                {
                    using MemoryTensors stored = MemoryTensors.Of(Layer, weight);
                    JsonObject parameters = weight.Parameters;
                    parameters[parameter] = value;
                    parameters = JsonNode.Parse(parameters.ToJsonString())!.AsObject();
                    Assert.Throws<TensorFormatException>(() => weight.Method.Read(new StoredWeight(Layer, 24, 36, parameters, stored)));
                }

                if (parameter == "relative_error") continue; // may be missing
                JsonObject without = weight.Parameters;
                without.Remove(parameter);
                using MemoryTensors tensors = MemoryTensors.Of(Layer, weight);
                Assert.Throws<TensorFormatException>(() => weight.Method.Read(new StoredWeight(Layer, 24, 36, without, tensors)));
            }
        }
    }

    /// <summary>A reported error may be any number that is not negative; a matrix of other dimensions is another matter.</summary>
    private static bool IsAllowed(string parameter, JsonNode? value) =>
        parameter == "relative_error" && value is JsonValue number && number.TryGetValue(out double real) && real >= 0
        || parameter == "relative_error" && value is JsonValue integer && integer.TryGetValue(out int whole) && whole >= 0;

    private static void AssertRefused(CompressedWeight weight, TensorFormatError kind, Action<MemoryTensors> damage)
    {
        using MemoryTensors stored = MemoryTensors.Of(Layer, weight);
        damage(stored);
        var fault = Assert.Throws<TensorFormatException>(() => weight.Method.Read(Stored(weight, stored)));
        Assert.Equal(kind, fault.Kind);
    }

    private static void AssertSameBytes(MemoryTensors first, MemoryTensors second)
    {
        Assert.Equal(first.Bytes.Keys, second.Bytes.Keys);
        foreach (string tensor in first.Bytes.Keys)
        {
            Assert.Equal(first.Tensors[tensor].Shape, second.Tensors[tensor].Shape);
            Assert.True(first.Bytes[tensor].AsSpan().SequenceEqual(second.Bytes[tensor]), tensor);
        }
    }

    private static Matrix<float> Multiply(LinearLayer layer, MatrixView<float> input, ComputePool pool)
    {
        using var context = new ComputeContext(pool);
        var result = new Matrix<float>(input.Rows, layer.OutputDimension);
        for (nint row = 0; row < result.Rows; row++) result.Row(row).Fill(float.NaN); // every element must be written
        layer.Forward(new ActivationBatch(input), result.View, context);
        return result;
    }

    /// <summary>The weight, or null where the shape is too small for the options (a share that not even bond dimension 1 has).</summary>
    private static CompressedWeight? Compressed(string name, int option, string kind, int rows, int columns, ComputePool? pool = null)
    {
        using Matrix<float> weights = kind switch
        {
            "zero" => new Matrix<float>(rows, columns),
            "zero row" => ZeroRow(rows, columns),
            "constant" => RandomMatrices.Constant(rows, columns, 0.3f),
            "low rank" => RandomMatrices.LowRank(rows, columns, 3),
            "trained" => RandomMatrices.Trained(rows, columns),
            _ => RandomMatrices.Gaussian(rows, columns, (ulong)(rows * 1000 + columns)),
        };
        MethodOptions options = OptionsOf(CompressionMethods.Get(name))[option];
        try
        {
            return options.Method.Compress(weights.View, options, new CompressionContext { Pool = pool ?? ComputePool.Shared, Seed = 7 });
        }
        catch (ArgumentException fault) when (fault.Message.Contains("the least is", StringComparison.Ordinal) || fault.Message.Contains("takes at least", StringComparison.Ordinal))
        {
            Assert.True((long)rows * columns < 400, $"{rows} x {columns} is large enough for every showcase");
            return null;
        }
    }

    private static CompressedWeight Compress(MethodOptions options, Matrix<float> weights)
    {
        using (weights) return options.Method.Compress(weights.View, options, new CompressionContext());
    }

    private static Matrix<float> ZeroRow(int rows, int columns)
    {
        Matrix<float> weights = RandomMatrices.Gaussian(rows, columns);
        weights.Row(rows / 2).Clear();
        return weights;
    }

    private static string PartName(CompressedWeight weight, WeightPart part) => $"{Layer}.{weight.Method.Name}.{part.Name}";

    private static StoredWeight Stored(CompressedWeight weight, ITensorSource tensors) =>
        new(Layer, weight.OutputDimension, weight.InputDimension, JsonNode.Parse(weight.Parameters.ToJsonString())!.AsObject(), tensors);
}
