namespace TensorCompress.Compression.Mpo;

/// <summary>How the rows and columns of W are split over the sites: row index = (o_1 ... o_L) and column index = (i_1 ... i_L), both row-major; site k has o_k and i_k.</summary>
/// <remarks>
/// The one place where factors are chosen. The products may be larger than the dimensions: W is then padded with zero rows and columns that are cut off on the way out.
/// Default, for a dimension d: ascending factors of d itself if the largest can be at most <see cref="MaxAspect"/> times the smallest (576 = 24 x 24, 1536 = 32 x 48,
/// 65 = 5 x 13); else of the smallest larger product that has factors with at most <see cref="MaxPaddedAspect"/> (the prime 50257 becomes 50264 = 206 x 244). Of several
/// factorisations of a product the one with the smallest sum. Rows and columns ascend together, which keeps the aspect of every site like that of W.
/// </remarks>
public sealed class SiteFactors : IEquatable<SiteFactors>
{
    /// <summary>Largest over smallest factor that the default choice allows without padding.</summary>
    public const int MaxAspect = 3;

    /// <summary>Largest over smallest factor that the default choice allows with padding.</summary>
    public const int MaxPaddedAspect = 2;

    /// <summary>Times the aspect of the balanced factors that others may have which keep attention heads.</summary>
    internal const int MostOverBalanced = 2;

    /// <summary>The most sites.</summary>
    public const int MaxSites = 16;

    private readonly int[] _outputs;
    private readonly int[] _inputs;

    /// <summary>Takes given factors.</summary>
    /// <param name="outputs">Factors of the rows, one for each site, each at least 1.</param>
    /// <param name="inputs">Factors of the columns, as many.</param>
    /// <exception cref="ArgumentException">There are none, more than 16, unequally many, one is not positive, or a product is beyond 2^31 - 1.</exception>
    public SiteFactors(IReadOnlyList<int> outputs, IReadOnlyList<int> inputs)
    {
        ArgumentNullException.ThrowIfNull(outputs);
        ArgumentNullException.ThrowIfNull(inputs);
        if (outputs.Count != inputs.Count)
            throw new ArgumentException($"Every site has an output and an input factor: {outputs.Count} output factors and {inputs.Count} input factors do not fit.", nameof(inputs));
        if (outputs.Count is < 1 or > MaxSites) throw new ArgumentException($"There are 1 to {MaxSites} sites, not {outputs.Count}.", nameof(outputs));
        OutputDimension = Product(outputs, nameof(outputs));
        InputDimension = Product(inputs, nameof(inputs));
        _outputs = [.. outputs];
        _inputs = [.. inputs];
    }

    /// <summary>Number of sites.</summary>
    public int Sites => _outputs.Length;

    /// <summary>Factors of the rows.</summary>
    public IReadOnlyList<int> Outputs => _outputs;

    /// <summary>Factors of the columns.</summary>
    public IReadOnlyList<int> Inputs => _inputs;

    /// <summary>Product of the output factors: the rows of the padded W.</summary>
    public int OutputDimension { get; }

    /// <summary>Product of the input factors: the columns of the padded W.</summary>
    public int InputDimension { get; }

    /// <summary>The default choice for a matrix.</summary>
    /// <param name="outputDimension">Rows.</param>
    /// <param name="inputDimension">Columns.</param>
    /// <param name="sites">Number of sites, 1 to 16.</param>
    /// <exception cref="ArgumentOutOfRangeException">A dimension is not positive, or there are not 1 to 16 sites.</exception>
    public static SiteFactors Balanced(int outputDimension, int inputDimension, int sites) => new(Balanced(outputDimension, sites), Balanced(inputDimension, sites));

    /// <summary>
    /// The default choice for a matrix made of attention heads: where the balanced factors of the heads' side part heads unevenly and others of at most <see cref="MostOverBalanced"/> times their aspect do
    /// not, those of the smallest sum.
    /// </summary>
    internal static SiteFactors Balanced(int outputDimension, int inputDimension, int sites, AttentionHeads heads)
    {
        SiteFactors balanced = Balanced(outputDimension, inputDimension, sites);
        if (balanced.KeepsHeads(heads)) return balanced;
        (int dimension, int[] usual) = heads.Side == MatrixSide.Rows ? (outputDimension, balanced._outputs) : (inputDimension, balanced._inputs);
        double most = MostOverBalanced * usual.Max() / usual.Min();
        int[]? kept = Ordered(dimension, sites).Where(factors => factors.Max() <= most * factors.Min() && KeepsHeads(factors, heads.Dimension)).MinBy(factors => factors.Sum(factor => (long)factor));
        if (kept is null) return balanced;
        return heads.Side == MatrixSide.Rows ? new SiteFactors(kept, balanced._inputs) : new SiteFactors(balanced._outputs, kept);
    }

    /// <summary>All ordered factorisations of a number without factors of 1, unless it is 1.</summary>
    internal static List<int[]> Ordered(int number, int sites)
    {
        if (sites == 1) return [[number]];
        var result = new List<int[]>();
        for (int first = number == 1 ? 1 : 2; first <= number; first++)
        {
            if (number % first != 0) continue;
            foreach (int[] rest in Ordered(number / first, sites - 1))
            {
                if (number == 1 || !rest.Contains(1)) result.Add([first, .. rest]);
            }
        }

        return result;
    }

    /// <summary>The default factors of one dimension, ascending; their product may be larger.</summary>
    /// <param name="dimension">Rows or columns.</param>
    /// <param name="sites">Number of factors, 1 to 16.</param>
    /// <exception cref="ArgumentOutOfRangeException">The dimension is not positive, or there are not 1 to 16 sites.</exception>
    public static int[] Balanced(int dimension, int sites)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(dimension);
        ArgumentOutOfRangeException.ThrowIfLessThan(sites, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(sites, MaxSites);
        for (int product = dimension; ; product = checked(product + 1))
        {
            int[]? best = null;
            var factors = new int[sites];
            Search(product, 0, 1, product == dimension ? MaxAspect : MaxPaddedAspect, factors, ref best);
            if (best is not null) return best;
        }
    }

    /// <summary>The most that each of the L - 1 bonds can use: the smaller of the numbers of entries on its two sides.</summary>
    public long[] UsefulBonds()
    {
        var bonds = new long[Sites - 1];
        long total = (long)OutputDimension * InputDimension, left = 1;
        for (int k = 0; k < bonds.Length; k++)
        {
            left *= (long)_outputs[k] * _inputs[k];
            bonds[k] = Math.Min(left, total / left);
        }

        return bonds;
    }

    /// <summary>Bond dimensions r_0 = 1, r_1, ..., r_L = 1 for a limit: each bond is chi, or less where less is exact.</summary>
    /// <exception cref="ArgumentOutOfRangeException">chi is less than 1.</exception>
    public int[] Bonds(int chi)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(chi, 1);
        return [1, .. UsefulBonds().Select(useful => (int)Math.Min(useful, chi)), 1];
    }

    /// <summary>Elements of all cores with given bonds: sum of r_(k-1) m_k n_k r_k.</summary>
    public long ParameterCount(IReadOnlyList<int> bonds)
    {
        long count = 0;
        for (int k = 0; k < Sites; k++) count = checked(count + (long)bonds[k] * _outputs[k] * _inputs[k] * bonds[k + 1]);
        return count;
    }

    /// <summary>
    /// Whether no boundary between sites parts heads unevenly. The digits behind a boundary count that many neighbouring rows or columns: whole heads where the head divides it, an equal part of every
    /// head where it divides the head; any other number would put parts of two heads together.
    /// </summary>
    internal bool KeepsHeads(AttentionHeads heads) => KeepsHeads(heads.Side == MatrixSide.Rows ? _outputs : _inputs, heads.Dimension);

    /// <summary>Whether a boundary between sites is the one between heads and the channels of a head.</summary>
    internal bool HasHeads(AttentionHeads heads) => Behind(heads.Side == MatrixSide.Rows ? _outputs : _inputs).Contains(heads.Dimension);

    /// <summary>Refuses factors that do not cover a matrix, or that pad it to more than twice its rows or columns.</summary>
    /// <exception cref="ArgumentException">They do not fit.</exception>
    public void ThrowIfUnfit(int outputDimension, int inputDimension)
    {
        ThrowIfUnfit("output", _outputs, OutputDimension, outputDimension);
        ThrowIfUnfit("input", _inputs, InputDimension, inputDimension);
    }

    /// <inheritdoc/>
    public bool Equals(SiteFactors? other) => other is not null && _outputs.AsSpan().SequenceEqual(other._outputs) && _inputs.AsSpan().SequenceEqual(other._inputs);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SiteFactors);

    /// <inheritdoc/>
    public override int GetHashCode() => _outputs.Concat(_inputs).Aggregate(Sites, HashCode.Combine);

    /// <inheritdoc/>
    public override string ToString() => $"{string.Join('.', _outputs)} x {string.Join('.', _inputs)}";

    /// <summary><see cref="KeepsHeads(AttentionHeads)"/> for the factors of the side of the heads.</summary>
    internal static bool KeepsHeads(IReadOnlyList<int> factors, int head) => Behind(factors).All(behind => behind % head == 0 || head % behind == 0);

    /// <summary>How many neighbouring rows or columns the digits behind each boundary between sites count.</summary>
    private static IEnumerable<long> Behind(IReadOnlyList<int> factors)
    {
        long behind = 1;
        for (int site = factors.Count - 1; site > 0; site--) yield return behind *= factors[site];
    }

    private static int Product(IReadOnlyList<int> factors, string parameterName)
    {
        long product = 1;
        foreach (int factor in factors)
        {
            if (factor < 1) throw new ArgumentOutOfRangeException(parameterName, factor, "A factor is at least 1.");
            product *= factor;
            if (product > int.MaxValue) throw new ArgumentException($"The product of the factors {string.Join(", ", factors)} is beyond {int.MaxValue}.", parameterName);
        }

        return (int)product;
    }

    private static void ThrowIfUnfit(string side, int[] factors, int product, int dimension)
    {
        if (product >= dimension && product <= 2L * dimension) return;
        throw new ArgumentException($"The {side} factors {string.Join(" x ", factors)} = {product} do not fit the {side} dimension {dimension}: their product is {dimension} to {2L * dimension}.");
    }

    /// <summary>Tries all ascending factorisations of <paramref name="product"/> with at most the given aspect; keeps the one with the smallest sum.</summary>
    private static void Search(int product, int site, int least, int aspect, int[] factors, ref int[]? best)
    {
        if (site == factors.Length - 1)
        {
            factors[site] = product;
            bool allowed = product >= least && product <= (long)factors[0] * aspect;
            if (allowed && (best is null || factors.Sum(factor => (long)factor) < best.Sum(factor => (long)factor))) best = [.. factors];
            return;
        }

        int left = factors.Length - site;
        for (int factor = least; Power(factor, left) <= product; factor++)
        {
            if (product % factor != 0) continue;
            if (site > 0 && factor > (long)factors[0] * aspect) return;
            factors[site] = factor;
            if (site == 0 && Power((long)factor * aspect, left - 1) < product / factor) continue; // even the largest allowed aspect cannot reach the product
            Search(product / factor, site + 1, factor, aspect, factors, ref best);
        }
    }

    private static long Power(long value, int exponent)
    {
        long power = 1;
        for (int i = 0; i < exponent; i++) power = value > int.MaxValue / power ? int.MaxValue : power * value; // products are below 2^31: beyond it the exact value is of no interest
        return power;
    }
}
