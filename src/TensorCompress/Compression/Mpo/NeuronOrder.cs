using TensorCompress.Numerics;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Mpo;

/// <summary>
/// The order of the neurons of a feed-forward layer. It is free: the rows of up (and gate) and the columns of down change places together and the layer computes the same, while the
/// error of an operator depends on which neurons share a digit. Undoing a permutation gives the same bits.
/// </summary>
public static class NeuronOrder
{
    /// <summary>Looks for an order in which up, gate and down leave less out at a bond dimension; the order as it is wins where none is better.</summary>
    /// <param name="gate">[neurons, inputs], or null where there is none.</param>
    /// <param name="up">[neurons, inputs].</param>
    /// <param name="down">[outputs, neurons].</param>
    /// <param name="chi">The bond dimension of all of them, two sites each.</param>
    /// <param name="pool">Threads; null for the shared pool.</param>
    /// <param name="cancellationToken">Looked at before every order.</param>
    /// <returns>Neuron <c>order[k]</c> comes to place k.</returns>
    /// <exception cref="ArgumentException">The numbers of neurons differ.</exception>
    public static int[] Find(MatrixView<float>? gate, MatrixView<float> up, MatrixView<float> down, int chi, ComputePool? pool = null, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(chi, 1);
        if (down.Columns != up.Rows || (gate is { } other && other.Rows != up.Rows))
            throw new ArgumentException($"Up has {up.Rows} neurons, down {down.Columns}{(gate is { } third ? $", gate {third.Rows}" : "")}.", nameof(down));
        pool ??= ComputePool.Shared;
        int[] best = [.. Enumerable.Range(0, checked((int)up.Rows))];
        double bestError = double.PositiveInfinity;
        foreach (int[] order in Candidates(up, best))
        {
            cancellationToken.ThrowIfCancellationRequested();
            double error = Discarded(up, order, rows: true, chi, pool) + Discarded(down, order, rows: false, chi, pool);
            if (gate is { } gates) error += Discarded(gates, order, rows: true, chi, pool);
            if (error < bestError) (best, bestError) = (order, error);
        }

        return best;
    }

    /// <summary>A matrix with its rows in another order: row k is row <c>order[k]</c> of the source.</summary>
    /// <exception cref="ArgumentException">The order is not a permutation of the rows.</exception>
    public static Matrix<float> PermuteRows(MatrixView<float> matrix, ReadOnlySpan<int> order)
    {
        ThrowIfNotPermutation(order, matrix.Rows);
        var result = new Matrix<float>(matrix.Rows, matrix.Columns);
        for (int k = 0; k < order.Length; k++) matrix.Row(order[k]).CopyTo(result.Row(k));
        return result;
    }

    /// <summary>A matrix with its columns in another order: column k is column <c>order[k]</c> of the source.</summary>
    /// <exception cref="ArgumentException">The order is not a permutation of the columns.</exception>
    public static Matrix<float> PermuteColumns(MatrixView<float> matrix, ReadOnlySpan<int> order)
    {
        ThrowIfNotPermutation(order, matrix.Columns);
        var result = new Matrix<float>(matrix.Rows, matrix.Columns);
        for (nint row = 0; row < matrix.Rows; row++)
        {
            ReadOnlySpan<float> source = matrix.Row(row);
            Span<float> destination = result.Row(row);
            for (int k = 0; k < order.Length; k++) destination[k] = source[order[k]];
        }

        return result;
    }

    /// <summary>The order that undoes an order.</summary>
    /// <exception cref="ArgumentException">It is not a permutation.</exception>
    public static int[] Inverse(ReadOnlySpan<int> order)
    {
        ThrowIfNotPermutation(order, order.Length);
        int[] inverse = new int[order.Length];
        for (int k = 0; k < order.Length; k++) inverse[order[k]] = k;
        return inverse;
    }

    /// <summary>The order as it is, by norm, by the first singular vector, and by groups along the first vector that are each sorted along the second.</summary>
    private static IEnumerable<int[]> Candidates(MatrixView<float> up, int[] asItIs)
    {
        yield return asItIs;
        double[] norms = [.. asItIs.Select(neuron => (double)System.Numerics.Tensors.TensorPrimitives.SumOfSquares<float>(up.Row(neuron)))];
        yield return [.. asItIs.OrderByDescending(neuron => norms[neuron])];
        using SingularValueDecomposition svd = Svd.Truncated(up, Math.Min(2, (int)nint.Min(up.Rows, up.Columns)));
        double[] first = svd.LeftTransposed.Row(0).ToArray();
        int[] along = [.. asItIs.OrderBy(neuron => first[neuron])];
        yield return along;
        if (svd.Rank < 2) yield break;
        double[] second = svd.LeftTransposed.Row(1).ToArray();
        int groupSize = SiteFactors.Balanced(asItIs.Length, 2)[1];
        yield return [.. along.Chunk(groupSize).SelectMany(group => group.OrderBy(neuron => second[neuron]))];
    }

    /// <summary>The squared relative error of two sites at a bond dimension, with rows or columns in an order.</summary>
    private static double Discarded(MatrixView<float> weights, int[] order, bool rows, int chi, ComputePool pool)
    {
        using Matrix<float> permuted = rows ? PermuteRows(weights, order) : PermuteColumns(weights, order);
        SiteFactors factors = SiteFactors.Balanced((int)weights.Rows, (int)weights.Columns, 2);
        double[] curve = UnfoldingSpectra.ErrorCurve(UnfoldingSpectra.Of(permuted.View, factors, pool).Single());
        double error = curve[Math.Min(chi, curve.Length - 1)];
        return error * error;
    }

    private static void ThrowIfNotPermutation(ReadOnlySpan<int> order, nint count)
    {
        bool[] seen = new bool[count];
        if (order.Length != count) throw new ArgumentException($"An order of {count} has as many entries, not {order.Length}.", nameof(order));
        foreach (int neuron in order)
        {
            if ((uint)neuron >= (uint)seen.Length || seen[neuron]) throw new ArgumentException($"{neuron} is outside 0 to {count - 1} or comes twice: the order is not a permutation.", nameof(order));
            seen[neuron] = true;
        }
    }
}
