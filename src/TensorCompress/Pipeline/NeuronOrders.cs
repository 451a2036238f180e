using System.Runtime.InteropServices;
using TensorCompress.Compression;
using TensorCompress.Compression.Mpo;
using TensorCompress.Inference;
using TensorCompress.Models;
using TensorCompress.Storage;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Pipeline;

/// <summary>
/// The orders of the neurons of a checkpoint's feed-forward layers: found before compression where a method asks for it, folded into gate, up, down and their biases, stored beside them
/// (<c>&lt;down&gt;.neuron_order</c>, I32) and undone when the checkpoint is made dense again. A model runs without knowing of them.
/// </summary>
/// <param name="orders">Layers with their orders: neuron <c>Order[k]</c> comes to place k.</param>
internal sealed class NeuronOrders(IReadOnlyList<(FeedForwardDefinition Layer, int[] Order)> orders)
{
    private const string Suffix = ".neuron_order";

    /// <summary>Layers whose neurons do not all stand where they stood.</summary>
    public int Count => orders.Count;

    /// <summary>Looks for the orders of the layers whose methods ask for it; layers that are best as they are have none.</summary>
    /// <param name="source">The dense checkpoint.</param>
    /// <param name="recipe">Options by layer.</param>
    /// <param name="pool">Threads.</param>
    /// <param name="cancellationToken">Looked at before every order.</param>
    public static NeuronOrders Find(ModelCheckpoint source, IReadOnlyDictionary<string, MethodOptions> recipe, ComputePool pool, CancellationToken cancellationToken)
    {
        var found = new List<(FeedForwardDefinition Layer, int[] Order)>();
        foreach (FeedForwardDefinition layer in source.Definition.Blocks.Select(block => block.FeedForward))
        {
            int? bond = new[] { layer.Up, layer.Down }.Select(linear => recipe.GetValueOrDefault(linear.Name)?.NeuronOrderBond(linear.OutputDimension, linear.InputDimension)).FirstOrDefault(known => known is not null);
            if (bond is not int chi) continue;
            using Matrix<float> up = WeightLoader.ReadFinite(source, layer.Up), down = WeightLoader.ReadFinite(source, layer.Down);
            using Matrix<float>? gate = layer.Gate is null ? null : WeightLoader.ReadFinite(source, layer.Gate);
            int[] order = layer.IsGateFused
                ? NeuronOrder.Find(up.RowRange(0, up.Rows / 2), up.RowRange(up.Rows / 2, up.Rows / 2), down.View, chi, pool, cancellationToken)
                : NeuronOrder.Find(gate?.View, up.View, down.View, chi, pool, cancellationToken);
            if (!order.SequenceEqual(Enumerable.Range(0, order.Length))) found.Add((layer, order));
        }

        return new NeuronOrders(found);
    }

    /// <summary>The orders that a checkpoint was written in.</summary>
    /// <exception cref="TensorFormatException">A stored order is not a permutation of the layer's neurons.</exception>
    public static NeuronOrders Read(ModelCheckpoint checkpoint)
    {
        var read = new List<(FeedForwardDefinition Layer, int[] Order)>();
        foreach (FeedForwardDefinition layer in checkpoint.Definition.Blocks.Select(block => block.FeedForward))
        {
            string name = layer.Down.Name + Suffix;
            if (!checkpoint.Tensors.Tensors.TryGetValue(name, out TensorInfo? tensor)) continue;
            if (tensor.ElementType != ElementType.I32 || tensor.Shape.Count != 1 || tensor.Shape[0] != layer.Down.InputDimension)
                throw new TensorFormatException(TensorFormatError.Inconsistent, $"an order of {layer.Down.InputDimension} neurons is a vector of as many I32", checkpoint.Path, name);
            int[] order = new int[layer.Down.InputDimension];
            checkpoint.Tensors.ReadBytes(name, 0, MemoryMarshal.AsBytes(order.AsSpan()));
            try
            {
                NeuronOrder.Inverse(order);
            }
            catch (ArgumentException fault)
            {
                throw new TensorFormatException(TensorFormatError.Value, fault.Message, checkpoint.Path, name, innerException: fault);
            }

            read.Add((layer, order));
        }

        return new NeuronOrders(read);
    }

    /// <summary>The orders that undo these.</summary>
    public NeuronOrders Inverse() => new([.. orders.Select(entry => (entry.Layer, NeuronOrder.Inverse(entry.Order)))]);

    /// <summary>The checkpoint with its dense tensors in these orders.</summary>
    /// <param name="source">The checkpoint.</param>
    /// <param name="definition">What the layers of the result are; null for those of the source.</param>
    public ModelCheckpoint Apply(ModelCheckpoint source, ModelDefinition? definition = null)
    {
        var tensors = new Dictionary<string, (bool IsFirst, int[] Order)>();
        foreach ((FeedForwardDefinition layer, int[] order) in orders)
        {
            foreach (LinearDefinition linear in new[] { layer.Gate, layer.Up, layer.Down }.OfType<LinearDefinition>().SelectMany(linear => linear.Parts))
            {
                bool isDown = linear == layer.Down;
                int[] rows = RowOrder(linear, order);
                tensors.Add(linear.WeightName, (isDown == linear.IsStoredTransposed, isDown ? order : rows));
                if (!isDown && linear.HasBias) tensors.Add(linear.BiasName, (true, rows));
            }
        }

        return source.With(new ReorderedTensors(source.Tensors, tensors), definition);
    }

    /// <summary>A decoded matrix in its order; takes it over.</summary>
    public Matrix<float> Apply(LinearDefinition linear, Matrix<float> matrix)
    {
        foreach ((FeedForwardDefinition layer, int[] order) in orders)
        {
            if (linear != layer.Gate && linear != layer.Up && linear != layer.Down) continue;
            using (matrix) return linear == layer.Down ? NeuronOrder.PermuteColumns(matrix.View, order) : NeuronOrder.PermuteRows(matrix.View, RowOrder(linear, order));
        }

        return matrix;
    }

    /// <summary>Statistics of a layer's inputs in their order; takes them over.</summary>
    public LayerStatistics Apply(LinearDefinition linear, LayerStatistics statistics)
    {
        int[]? order = orders.Where(entry => entry.Layer.Down == linear).Select(entry => entry.Order).FirstOrDefault();
        if (order is null) return statistics;
        using (statistics)
        {
            var moment = new Matrix<double>(order.Length, order.Length);
            for (int i = 0; i < order.Length; i++)
            {
                ReadOnlySpan<double> source = statistics.SecondMoment.Row(order[i]);
                Span<double> row = moment.Row(i);
                for (int j = 0; j < row.Length; j++) row[j] = source[order[j]];
            }

            return new LayerStatistics(moment, statistics.TokenCount);
        }
    }

    /// <summary>Writes the orders as tensors.</summary>
    public void Write(ITensorSink sink)
    {
        foreach ((FeedForwardDefinition layer, int[] order) in orders) sink.Add(new TensorInfo(layer.Down.Name + Suffix, ElementType.I32, [order.Length]), MemoryMarshal.AsBytes<int>(order));
    }

    /// <summary>The order of the rows of gate and up; where one matrix holds both, of each half.</summary>
    private static int[] RowOrder(LinearDefinition linear, int[] order) => linear.OutputDimension == 2 * order.Length ? [.. order, .. order.Select(neuron => neuron + order.Length)] : order;
}
