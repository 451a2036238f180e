using TensorCompress.Compression;
using TensorCompress.Models;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Pipeline;

/// <summary>
/// How much the outputs of a joint layer matter: the squared error of each member counts over the root of that member's mean squared output. Counted as they are, values would be left with what queries and keys,
/// large before the softmax, do not need; counted over the mean square, as if each were compressed alone, queries and keys pay too much for them. The root loses least on small models
/// (benchmarks/results/AMD-EPYC-Zen3/dbf.md).
/// </summary>
internal static class JointImportance
{
    /// <summary>Statistics for the fit of a joint layer.</summary>
    /// <param name="linear">The layer.</param>
    /// <param name="weights">What is fitted, [output, input].</param>
    /// <param name="inputs">Statistics of the inputs, which must live longer than the result.</param>
    /// <param name="pool">Threads.</param>
    /// <returns>Null where there is nothing to weigh: no members, or no output that is ever other than 0.</returns>
    public static LayerStatistics? Weigh(LinearDefinition linear, MatrixView<float> weights, LayerStatistics inputs, ComputePool pool)
    {
        if (linear.Members.Count == 0) return null;
        double[] energies = inputs.OutputEnergies(weights, pool);
        var importance = new List<double>();
        foreach (int rows in linear.Members.Select(member => member.OutputDimension))
        {
            double mean = energies.AsSpan(importance.Count, rows).ToArray().Average();
            importance.AddRange(Enumerable.Repeat(mean > 0 ? 1 / Math.Sqrt(mean) : 0, rows));
        }

        return importance.Any(weight => weight > 0) ? inputs.WithOutputImportance(importance) : null;
    }
}
