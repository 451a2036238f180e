using TensorCompress.Compression.Qet;
using TensorCompress.Numerics;
using TensorCompress.Tensors;

namespace TensorCompress.Comparison;

/// <summary>What a quantiser made of a matrix.</summary>
/// <param name="Method">Its name and what was chosen for it.</param>
/// <param name="BitsPerElement">All stored bits: codes, codebooks, scales and rotations.</param>
/// <param name="Decoded">The matrix that comes back.</param>
internal sealed record QuantizedMatrix(string Method, double BitsPerElement, Matrix<float> Decoded) : IDisposable
{
    public void Dispose() => Decoded.Dispose();

    /// <summary>Sum of the squared errors over that of the squares.</summary>
    public double NormalizedSquaredError(MatrixView<float> original) => Ratio(original, static x => x * x);

    /// <summary>Sum of the magnitudes of the errors over that of the magnitudes.</summary>
    public double NormalizedAbsoluteError(MatrixView<float> original) => Ratio(original, Math.Abs);

    private double Ratio(MatrixView<float> original, Func<double, double> measure)
    {
        (double error, double norm) = (0, 0);
        for (nint row = 0; row < original.Rows; row++)
        {
            for (int i = 0; i < original.Columns; i++)
            {
                error += measure((double)original.Row(row)[i] - Decoded[row, i]);
                norm += measure(original.Row(row)[i]);
            }
        }

        return error / norm;
    }
}

/// <summary>How the rivals' numbers are stored, and counted.</summary>
/// <param name="CodebookBits">Bits of a number of a codebook: 32 as the papers have them.</param>
/// <param name="RotationBits">Bits of a number of a rotation; 0 does not count it, as if neighbouring matrices took it in.</param>
internal sealed record RivalPrecision(int CodebookBits, int RotationBits)
{
    /// <summary>As well as the rivals can do without loss.</summary>
    public static RivalPrecision Rounded { get; } = new(10, 16);

    /// <summary>Floats, as in the papers.</summary>
    public static RivalPrecision Floats { get; } = new(QetOptions.FloatBits, 32);

    /// <summary>The most that can be said for rotations.</summary>
    public static RivalPrecision WithoutRotations { get; } = new(10, 0);
}

/// <summary>
/// The quantisers that are compared with: product quantisation (Jégou, Douze, Schmid 2011), the optimised one (Ge, He, Ke, Sun 2013) and the locally optimised one (Kalantidis, Avrithis 2014)
/// with codebooks of 10 bits and rotations of 16 unless asked otherwise, group rounding, and Lloyd-Max levels behind a Hadamard rotation. The matrix is read once and quantised for itself.
/// </summary>
internal static class RivalQuantizers
{
    private const int Rotations = 8, ScaleBits = 16, ShortIterations = 4;

    /// <summary>Product quantisation within a budget; null where the budget is too small for the groups.</summary>
    public static QuantizedMatrix? Product(MatrixView<float> x, double bitsPerElement, int subspaces, RivalPrecision? precision = null)
    {
        if (PlanWithin(x, bitsPerElement * x.Rows * x.Columns, subspaces, 20, precision ?? RivalPrecision.Rounded) is not { } plan) return null;
        return new QuantizedMatrix($"PQ, {subspaces} groups of {plan.Centroids[0]}", plan.BitsPerElement, Quantize(x, plan));
    }

    /// <summary>Product quantisation behind a rotation that alternates with the codebooks (the non-parametric way, from the identity).</summary>
    public static QuantizedMatrix? OptimizedProduct(MatrixView<float> x, double bitsPerElement, int subspaces, RivalPrecision? precision = null)
    {
        precision ??= RivalPrecision.Rounded;
        double budget = bitsPerElement * x.Rows * x.Columns - (double)precision.RotationBits * x.Columns * x.Columns;
        if (PlanWithin(x, budget, subspaces, ShortIterations, precision) is not { } brief || PlanWithin(x, budget, subspaces, 20, precision) is not { } plan) return null;
        using Matrix<float> rotation = Identity(x.Columns), turned = new(x.Rows, x.Columns);
        for (int round = 0; round < Rotations; round++)
        {
            MatrixProduct.Multiply(x, rotation.View, turned.View);
            using Matrix<float> decoded = Quantize(turned.View, brief), cross = new(x.Columns, x.Columns);
            MatrixProduct.Multiply(x.Transposed, decoded.View, cross.View);
            using SingularValueDecomposition svd = Svd.Full(cross.View);
            using Matrix<double> nearest = new(x.Columns, x.Columns);
            MatrixProduct.Multiply(svd.LeftTransposed.View.Transposed, svd.RightTransposed.View, nearest.View);
            for (nint row = 0; row < x.Columns; row++)
            {
                for (int i = 0; i < x.Columns; i++) rotation[row, i] = (float)(Half)nearest[row, i];
            }
        }

        MatrixProduct.Multiply(x, rotation.View, turned.View);
        using Matrix<float> final = Quantize(turned.View, plan);
        var back = new Matrix<float>(x.Rows, x.Columns);
        MatrixProduct.Multiply(final.View, rotation.View.Transposed, back.View);
        return new QuantizedMatrix($"OPQ, {subspaces} groups of {plan.Centroids[0]}", plan.BitsPerElement + (double)precision.RotationBits * x.Columns / x.Rows, back);
    }

    /// <summary>
    /// Cells of rows around means. What the means leave has a rotation and codebooks for each cell or, where that errs less or a cell has too few rows to pay for its own, one rotation and one set of codebooks for all (the
    /// paper's I-OPQ); null where the budget does not pay for one rotation either.
    /// </summary>
    public static QuantizedMatrix? LocallyOptimizedProduct(MatrixView<float> x, double bitsPerElement, int subspaces, int cells, RivalPrecision? precision = null)
    {
        using Matrix<float> means = KMeans.Fit(x, null, new KMeansOptions(cells, KMeansStart.PlusPlus, 20), new SeededRandom(123));
        int[] cell = new int[x.Rows];
        using (var search = new NearestCentroid(cells, Threading.ComputePool.Shared)) search.Find(x, means.View, cell, new double[x.Rows]);
        using var residual = new Matrix<float>(x.Rows, x.Columns);
        for (nint row = 0; row < x.Rows; row++)
        {
            for (int column = 0; column < x.Columns; column++) residual[row, column] = x.Row(row)[column] - means[cell[row], column];
        }

        int[] rows = [.. Enumerable.Range(0, cell.Length)];
        QuantizedMatrix? local = Coded("rotations", rows.GroupBy(row => cell[row])), shared = Coded("one rotation", rows.GroupBy(_ => 0));
        if (local is null || shared is null) return local ?? shared;
        (QuantizedMatrix better, QuantizedMatrix worse) = local.NormalizedSquaredError(x) <= shared.NormalizedSquaredError(x) ? (local, shared) : (shared, local);
        worse.Dispose();
        return better;

        QuantizedMatrix? Coded(string what, IEnumerable<IGrouping<int, int>> parts)
        {
            double side = cells * (double)x.Columns * ScaleBits + x.Rows * Math.Ceiling(Math.Log2(cells)), stored = side, rest = bitsPerElement - side / ((double)x.Rows * x.Columns);
            var back = new Matrix<float>(x.Rows, x.Columns);
            foreach (int[] members in parts.Select(part => part.ToArray()))
            {
                using var own = new Matrix<float>(members.Length, x.Columns);
                for (int i = 0; i < members.Length; i++) residual.Row(members[i]).CopyTo(own.Row(i));
                using QuantizedMatrix? coded = OptimizedProduct(own.View, rest, subspaces, precision);
                if (coded is null)
                {
                    back.Dispose();
                    return null;
                }

                stored += coded.BitsPerElement * members.Length * x.Columns;
                for (int i = 0; i < members.Length; i++)
                {
                    for (int column = 0; column < x.Columns; column++) back[members[i], column] = coded.Decoded[i, column] + means[cell[members[i]], column];
                }
            }

            return new QuantizedMatrix($"LOPQ, {cells} cells, {what}, {subspaces} groups", stored / ((double)x.Rows * x.Columns), back);
        }
    }

    /// <summary>Rounding to levels between the least and the largest value of a group of a row, both stored in 16 bits; as many levels as bits come nearest to, counted as log2 of their number.</summary>
    public static QuantizedMatrix RoundToNearest(MatrixView<float> x, double bits, int group)
    {
        var decoded = new Matrix<float>(x.Rows, x.Columns);
        int most = Levels(bits) - 1;
        for (nint row = 0; row < x.Rows; row++)
        {
            for (int start = 0; start < x.Columns; start += group)
            {
                ReadOnlySpan<float> values = x.Row(row)[start..Math.Min((int)x.Columns, start + group)];
                float least = (float)(Half)System.Numerics.Tensors.TensorPrimitives.Min(values), step = (float)(Half)((System.Numerics.Tensors.TensorPrimitives.Max(values) - least) / most);
                for (int i = 0; i < values.Length; i++)
                    decoded[row, start + i] = least + step * (step == 0 ? 0 : Math.Clamp(MathF.Round((values[i] - least) / step), 0, most));
            }
        }

        return new QuantizedMatrix($"{most + 1} levels, groups of {group}", Math.Log2(most + 1) + 2.0 * ScaleBits * Math.Ceiling((double)x.Columns / group) / x.Columns, decoded);
    }

    /// <summary>Signs and a Hadamard rotation of the longest power of two that divides the row, then Lloyd-Max levels of the normal distribution times a scale of 16 bits for each row; as many as bits come nearest to, counted as log2 of their number.</summary>
    public static QuantizedMatrix LloydMax(MatrixView<float> x, double bits)
    {
        double[] levels = LloydMaxLevels(Levels(bits));
        return Rotated($"{levels.Length} levels", x, Math.Log2(levels.Length), row => [.. row.Select(value => levels.MinBy(level => Math.Abs(value - level)))]);
    }

    /// <summary>Signs, a Hadamard rotation of the longest power of two that divides the row, and a scale of 16 bits for each row around something that quantises standard normal numbers.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="x">The matrix.</param>
    /// <param name="bits">Bits of a number.</param>
    /// <param name="quantize">Gives what a row becomes.</param>
    public static QuantizedMatrix Rotated(string name, MatrixView<float> x, double bits, Func<double[], double[]> quantize)
    {
        int block = 1 << System.Numerics.BitOperations.TrailingZeroCount((uint)x.Columns);
        var random = new SeededRandom(7);
        float[] signs = [.. Enumerable.Range(0, (int)x.Columns).Select(_ => random.NextDouble() < 0.5 ? -1f : 1f)], row = new float[x.Columns];
        var decoded = new Matrix<float>(x.Rows, x.Columns);
        for (nint r = 0; r < x.Rows; r++)
        {
            for (int i = 0; i < row.Length; i++) row[i] = signs[i] * x.Row(r)[i];
            for (int start = 0; start < row.Length; start += block) Hadamard(row.AsSpan(start, block));
            double norm = Math.Sqrt(row.Sum(value => (double)value * value) / row.Length);
            if (norm == 0) continue;
            double[] nearest = quantize([.. row.Select(value => value / norm)]);
            double scale = (double)(Half)(nearest.Zip(row, (level, value) => level * value).Sum() / nearest.Sum(level => level * level));
            for (int i = 0; i < row.Length; i++) row[i] = (float)(scale * nearest[i]);
            for (int start = 0; start < row.Length; start += block) Hadamard(row.AsSpan(start, block));
            for (int i = 0; i < row.Length; i++) decoded[r, i] = signs[i] * row[i];
        }

        return new QuantizedMatrix(name, bits + (double)ScaleBits / x.Columns, decoded);
    }

    /// <summary>Levels of least squared error for the standard normal distribution (Lloyd 1957; Max 1960), ascending.</summary>
    public static double[] LloydMaxLevels(int count)
    {
        double[] levels = [.. Enumerable.Range(0, count).Select(i => 6.0 * (i + 0.5) / count - 3)];
        for (int round = 0; round < 2000; round++)
        {
            double[] edges = [double.NegativeInfinity, .. levels.Zip(levels.Skip(1), (a, b) => (a + b) / 2), double.PositiveInfinity];
            for (int i = 0; i < count; i++) levels[i] = (Density(edges[i]) - Density(edges[i + 1])) / (Distribution(edges[i + 1]) - Distribution(edges[i]));
        }

        return levels;
    }

    private static int Levels(double bits) => (int)Math.Round(Math.Pow(2, bits));

    private static double Density(double x) => Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI);

    // Simpson's rule from -9.
    private static double Distribution(double x)
    {
        if (x < -9) return 0;
        const int Steps = 400;
        double end = Math.Min(x, 9), step = (end + 9) / Steps, sum = Density(-9) + Density(end);
        for (int i = 1; i < Steps; i++) sum += (i % 2 == 1 ? 4 : 2) * Density(-9 + i * step);
        return sum * step / 3;
    }

    private static void Hadamard(Span<float> values)
    {
        for (int half = 1; half < values.Length; half *= 2)
        {
            for (int start = 0; start < values.Length; start += 2 * half)
            {
                for (int i = start; i < start + half; i++) (values[i], values[i + half]) = (values[i] + values[i + half], values[i] - values[i + half]);
            }
        }

        float factor = 1 / MathF.Sqrt(values.Length);
        foreach (ref float value in values) value *= factor;
    }

    private static QetPlan? PlanWithin(MatrixView<float> x, double bits, int subspaces, int iterations, RivalPrecision precision)
    {
        if (bits <= 0 || x.Columns % subspaces != 0) return null;
        try
        {
            return QetPlan.ForBudget(x.Rows, x.Columns, (long)(bits / 8), new QetOptions(subspaces, [new QetStageOptions(0, 1)], precision.CodebookBits, iterations: iterations));
        }
        catch (ArgumentOutOfRangeException)
        {
            return null;
        }
    }

    private static Matrix<float> Quantize(MatrixView<float> x, QetPlan plan)
    {
        var decoded = new Matrix<float>(x.Rows, x.Columns);
        QetCodec.Decompress(QetCodec.Compress(x, plan), decoded.View);
        return decoded;
    }

    private static Matrix<float> Identity(nint size)
    {
        var matrix = new Matrix<float>(size, size);
        for (nint i = 0; i < size; i++) matrix[i, i] = 1;
        return matrix;
    }
}
