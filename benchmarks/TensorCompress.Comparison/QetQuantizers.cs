using TensorCompress.Compression;
using TensorCompress.Compression.Qet;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>The method of the library and its codec beside <see cref="RivalQuantizers"/>, and the number of column groups that suits a matrix.</summary>
internal static class QetQuantizers
{
    /// <summary>What quantises a matrix in so many column groups within bits for each element; null where they do not suffice.</summary>
    internal delegate QuantizedMatrix? Quantizer(MatrixView<float> values, double bitsPerElement, int groups);

    /// <summary>What the method of the library makes of a matrix; null where the bits do not suffice.</summary>
    public static QuantizedMatrix? Method(MatrixView<float> values, QetMethodOptions options)
    {
        try
        {
            using CompressedWeight weight = options.Method.Compress(values, options, new CompressionContext());
            var decoded = new Matrix<float>(values.Rows, values.Columns);
            weight.ToDense(decoded.View);
            string[] told = ["swap layers", "column groups", "centroids", "rotated blocks", "rows at bits"];
            return new QuantizedMatrix(string.Join("; ", weight.Explain().Facts.Where(fact => told.Contains(fact.Key)).Select(fact => $"{fact.Key} {fact.Value}")), weight.BitsPerWeight, decoded);
        }
        catch (ArgumentException fault) when (fault.Message.Contains("the least is", StringComparison.Ordinal))
        {
            return null;
        }
    }

    /// <summary>The result of the number of groups that errs least.</summary>
    public static QuantizedMatrix? Best(MatrixView<float> values, double bits, IEnumerable<int> groups, Quantizer run)
    {
        QuantizedMatrix? best = null;
        double least = double.PositiveInfinity;
        foreach (int count in groups)
        {
            if (run(values, bits, count) is not { } made) continue;
            double error = made.NormalizedSquaredError(values);
            QuantizedMatrix worse = made;
            if (error < least)
            {
                least = error;
                (best, worse) = (made, best!);
            }

            worse?.Dispose();
        }

        return best;
    }

    /// <summary>The codec with given options; null where the bits do not suffice or the columns do not divide.</summary>
    public static QuantizedMatrix? Encode(MatrixView<float> values, double bits, QetOptions options)
    {
        QetPlan plan;
        try
        {
            plan = QetPlan.ForBudget(values.Rows, values.Columns, (long)(bits * values.Rows * values.Columns / 8), options);
        }
        catch (ArgumentException) // too few bits, or columns that do not divide by the swaps
        {
            return null;
        }

        var decoded = new Matrix<float>(values.Rows, values.Columns);
        QetCodec.Decompress(QetCodec.Compress(values, plan), decoded.View);
        return new QuantizedMatrix($"{options.Subspaces} groups of {string.Join(" and ", plan.Centroids)}", plan.BitsPerElement, decoded);
    }
}
