using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Models.Gguf;
using TensorCompress.Storage;
using TensorCompress.Storage.Gguf;
using TensorCompress.Tensors;

namespace TensorCompress.Pipeline;

/// <summary>The tensors of a model as a GGUF file has them: names, row orders, gains, and the type of each.</summary>
internal sealed class GgufTensors(ModelCheckpoint source, IGgufArchitecture architecture, GgufExport export, GgufWeightType type)
{
    private const string HeadName = "output.weight";

    private readonly ModelDefinition _definition = export.Definition;

    /// <summary>All tensors in the order of the file.</summary>
    public IEnumerable<GgufTensorContent> All()
    {
        foreach (LinearDefinition linear in _definition.Linears) yield return Matrix(linear, Names(linear.WeightName));
        if (_definition.Head is null && export.RepeatsTiedHead) yield return Matrix(_definition.TokenEmbedding, new GgufName(HeadName, _definition.TokenEmbedding.WeightName));
        foreach (NormDefinition norm in _definition.Norms)
        {
            yield return Vector(norm.WeightName, norm.IsGainOffset ? 1f : 0f);
            if (norm.HasBias) yield return Vector(norm.BiasName);
        }

        foreach (LinearDefinition linear in _definition.BlockLinears.Where(linear => linear.HasBias)) yield return Vector(linear.BiasName);
        if (_definition.PositionEmbedding is { } positions) yield return Vector(positions) with { Shape = [_definition.ContextLength, _definition.HiddenSize] };
        foreach ((string name, float[] values) in export.ExtraTensors) yield return new GgufTensorContent(name, [values.Length], GgufTensorTypes.F32, () => new VectorValues(values));
    }

    private GgufTensorContent Matrix(LinearDefinition linear, GgufName name)
    {
        GgufTensorType stored = StoredType(linear, name.Gguf);
        float factor = export.Factors.GetValueOrDefault(linear.WeightName, 1f);
        Func<long, long>? row = OriginalRow(name.Layout);
        return new GgufTensorContent(name.Gguf, [linear.OutputDimension, linear.InputDimension], stored, () => new MatrixValues(source, linear, row, factor, stored.Name));
    }

    private GgufTensorContent Vector(string name, float shift = 0f)
    {
        GgufName names = Names(name);
        float factor = export.Factors.GetValueOrDefault(name, 1f);
        var values = new float[source.Tensors.Tensors[name].ElementCount];
        return new GgufTensorContent(names.Gguf, [values.Length], GgufTensorTypes.F32, () =>
        {
            source.Tensors.ReadSingles(name, 0, values);
            Func<long, long>? row = OriginalRow(names.Layout);
            float[] ordered = row is null ? values : [.. Enumerable.Range(0, values.Length).Select(i => values[row(i)])];
            if (shift != 0f || factor != 1f) ordered = [.. ordered.Select(value => (value + shift) * factor)];
            return new VectorValues(ordered);
        });
    }

    private GgufTensorType StoredType(LinearDefinition linear, string name)
    {
        bool isHead = name == HeadName || (_definition.Head is null && linear == _definition.TokenEmbedding);
        GgufWeightType wanted = type == GgufWeightType.Q40 && isHead ? GgufWeightType.Q80 : type;
        string stem = wanted switch { GgufWeightType.Q80 => "Q8_0", GgufWeightType.Q40 => "Q4_0", _ => wanted.ToString() };
        GgufTensorType stored = GgufTensorTypes.All.First(candidate => candidate.Name == stem);
        return linear.InputDimension % stored.BlockValues == 0 ? stored : GgufTensorTypes.F16;
    }

    private Func<long, long>? OriginalRow(GgufLayout layout)
    {
        int headDimension = export.Attention.HeadDimension;
        return layout switch
        {
            GgufLayout.QueryRows or GgufLayout.KeyRows => row => RotaryRowOrder.OriginalRow(row, headDimension),
            GgufLayout.PartsTogether => HeadRowOrder.HeadByHead(export.Attention.HeadCount, headDimension),
            _ => null,
        };
    }

    private GgufName Names(string name) =>
        architecture.GgufNames.FromHuggingFace(name) ?? throw export.Refuse($"there is no place for the tensor {name}");

    private sealed class VectorValues(float[] values) : IGgufValues
    {
        public void Read(long firstElement, Span<float> destination) => values.AsSpan(checked((int)firstElement), destination.Length).CopyTo(destination);

        public void Dispose()
        {
        }
    }

    /// <summary>Rows of W in the order of the file: read as they are needed from a dense checkpoint, else from the whole decoded weight.</summary>
    private sealed class MatrixValues : IGgufValues
    {
        private readonly ModelCheckpoint _source;
        private readonly LinearDefinition _linear;
        private readonly Func<long, long>? _originalRow;
        private readonly float _factor;
        private readonly string _type;
        private readonly float _limit;
        private readonly Matrix<float>? _decoded;

        public MatrixValues(ModelCheckpoint source, LinearDefinition linear, Func<long, long>? originalRow, float factor, string type)
        {
            (_source, _linear, _originalRow, _factor, _type) = (source, linear, originalRow, factor, type);
            // What rounds to infinity as F16, as a value or as the scale of the largest code.
            _limit = type switch { "F16" => 65520f, "Q8_0" => 65520f * 127, "Q4_0" => 65520f * 8, _ => float.PositiveInfinity };
            bool isDense = source.Tensors.Tensors.ContainsKey(linear.WeightName);
            if (!isDense || !DenseTensors.HasRows(source, linear)) _decoded = WeightLoader.ReadDecoded(source, linear);
        }

        public void Read(long firstElement, Span<float> destination)
        {
            // The writer asks for whole rows.
            long row = firstElement / _linear.InputDimension;
            if (_originalRow is not null) row = _originalRow(row);
            if (_decoded is null) DenseTensors.ReadRows(_source, _linear, (nint)row, destination);
            else _decoded.Row((nint)row).CopyTo(destination);
            for (int i = 0; i < destination.Length; i++)
            {
                float value = destination[i] *= _factor;
                if (!float.IsFinite(value)) throw new TensorFormatException(TensorFormatError.Value, $"element {row * _linear.InputDimension + i} is {value}", _source.Path, _linear.WeightName);
                if (MathF.Abs(value) >= _limit) throw new ArgumentException($"{_linear.Name} has the weight {value}, beyond the range of {_type}: take bf16 or f32.");
            }
        }

        public void Dispose() => _decoded?.Dispose();
    }
}
