namespace TensorCompress.Compression.Mpo.Fitting;

/// <summary>What the loss changes by along a direction: <c>c_1 t + c_2 t^2 + c_3 t^3 + c_4 t^4</c>, never below minus the loss, so with a minimum wherever it falls.</summary>
internal readonly record struct LossAlongLine(double C1, double C2, double C3, double C4)
{
    private const int Iterations = 60;

    /// <summary>The change at a step length.</summary>
    public double At(double step) => step * (C1 + step * (C2 + step * (C3 + step * C4)));

    /// <summary>The first minimum beyond 0; 0 where the loss does not fall.</summary>
    public double Minimum()
    {
        if (!(C1 < 0)) return 0;
        // A bracket of the first place where the slope is not negative, then bisection with Newton's steps where they stay inside.
        double low = 0, high = C2 > 0 ? -C1 / (2 * C2) : 1;
        for (int doubling = 0; Slope(high) < 0; doubling++)
        {
            if (doubling == Iterations) return 0;
            low = high;
            high *= 2;
        }

        double step = high;
        for (int i = 0; i < Iterations && high - low > 1e-12 * high; i++)
        {
            double slope = Slope(step);
            if (slope < 0) low = step;
            else high = step;
            double curvature = 2 * C2 + step * (6 * C3 + step * 12 * C4), next = step - slope / curvature;
            step = next > low && next < high ? next : (low + high) / 2;
        }

        return step;
    }

    private double Slope(double step) => C1 + step * (2 * C2 + step * (3 * C3 + step * 4 * C4));
}
