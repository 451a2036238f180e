using TensorCompress.Kernels;

namespace TensorCompress.Compression.Mpo.Contraction;

/// <summary>The way in which an operator of two sites multiplies.</summary>
internal enum ContractionPath
{
    /// <summary>The second site's input digit first, then the first site.</summary>
    FromRight,

    /// <summary>The first site's input digit first, then the second site.</summary>
    FromLeft,

    /// <summary>Panels of W are built in a buffer and multiplied with all tokens.</summary>
    Rebuild,
}

/// <summary>Two sites: <c>W[(o_1 o_2), (i_1 i_2)] = sum over r of A[o_1, i_1, r] B[r, o_2, i_2]</c>.</summary>
/// <param name="Outputs1">The number of o_1.</param>
/// <param name="Outputs2">The number of o_2.</param>
/// <param name="Inputs1">The number of i_1.</param>
/// <param name="Inputs2">The number of i_2.</param>
/// <param name="Bond">The number of r.</param>
internal readonly record struct TwoSiteShape(int Outputs1, int Outputs2, int Inputs1, int Inputs2, int Bond)
{
    private const int HalfPageFloats = 512;

    public nint Outputs => (nint)Outputs1 * Outputs2;

    public nint Inputs => (nint)Inputs1 * Inputs2;

    /// <summary>Panels of sixteen o_2.</summary>
    public int Slices => (Outputs2 + PanelProduct.Width - 1) / PanelProduct.Width;

    /// <summary>Elements of A.</summary>
    public nint FirstElements => (nint)Outputs1 * Inputs1 * Bond;

    /// <summary>Floats from one o_1 to the next. Narrow products read rows without gaps.</summary>
    public nint FirstStride => IsNarrow ? (nint)Inputs1 * Bond : Apart((nint)Inputs1 * Bond);

    /// <summary>Floats of A with what lies between its rows.</summary>
    public nint FirstFloats => Outputs1 * FirstStride;

    /// <summary>Elements of B.</summary>
    public nint SecondElements => (nint)Bond * Outputs2 * Inputs2;

    /// <summary>Floats of B in panels: the kernel reads up to fifteen beyond the last row.</summary>
    public nint PanelFloats => SecondElements + PanelProduct.Width;

    /// <summary>Whether i_2 would leave lanes of a panel without use: then the path from the left is that of <see cref="NarrowProduct"/>.</summary>
    public bool IsNarrow => Inputs2 < PanelProduct.Width;

    /// <summary>The stride of rows that a tile reads a dozen of together: a cache line more than they have where that is a multiple of half a page, because all of them would meet in one or two sets of the first-level cache.</summary>
    public static nint Apart(nint floats) => floats % HalfPageFloats == 0 ? floats + PanelProduct.Width : floats;

    /// <summary>Columns of a panel.</summary>
    public int SliceWidth(int slice) => Math.Min(PanelProduct.Width, Outputs2 - slice * PanelProduct.Width);

    /// <summary>Where a panel begins: panels [r, i_2, o_2 of the slice] one after the other.</summary>
    public nint SliceStart(int slice) => (nint)slice * PanelProduct.Width * Bond * Inputs2;

    /// <summary>Multiply-adds for some tokens, those in lanes without use included: they take the same time.</summary>
    /// <remarks>
    /// From the right: r n (o_2 + m_1 o_2 / n_2) with whole panels of o_2; from the left: r (m_1 n + m_1 n_2 o_2) with whole panels of i_2 and o_2; rebuild: r n m_1 o_2 and then W itself for each token.
    /// </remarks>
    public double Multiplications(ContractionPath path, double tokens)
    {
        double lanes = (double)Slices * PanelProduct.Width, inputLanes = IsNarrow ? Inputs2 : (Inputs2 + PanelProduct.Width - 1) / PanelProduct.Width * PanelProduct.Width;
        return path switch
        {
            ContractionPath.FromRight => tokens * Bond * (Inputs * lanes + (double)Inputs1 * Outputs1 * lanes),
            ContractionPath.FromLeft => tokens * Bond * ((double)Outputs1 * Inputs1 * inputLanes + (double)Outputs1 * Inputs2 * lanes),
            _ => (Bond + tokens) * Inputs * Outputs1 * lanes,
        };
    }

    /// <summary>Multiplications of one token without those in unused lanes.</summary>
    public long UsefulMultiplications(ContractionPath path) => path switch
    {
        ContractionPath.FromRight => (long)Bond * (Inputs * Outputs2 + (long)Inputs1 * Outputs),
        ContractionPath.FromLeft => (long)Bond * ((long)Outputs1 * Inputs + Outputs * Inputs2),
        _ => (long)(Bond + 1) * Inputs * Outputs,
    };
}
