namespace TensorCompress.Compression.Dbf;

/// <summary>The parts of a factorisation, in their order.</summary>
public enum DbfStage
{
    /// <summary>Rounds of the alternating solver.</summary>
    Rounds,

    /// <summary>Sweeps of the closed-form fit of the scales.</summary>
    Scales,

    /// <summary>Turns of flipping single signs; they end when no flip helps, before all are run perhaps.</summary>
    Flips,

    /// <summary>The result.</summary>
    Done,
}

/// <summary>How far a factorisation is.</summary>
/// <param name="Stage">The part that it is at.</param>
/// <param name="Step">Rounds, sweeps or turns done of that part.</param>
/// <param name="Steps">Most of them.</param>
/// <param name="Error">Squared error over the squared norm of the target that the step left. The error may rise a little where scales are rounded, before the flips.</param>
public readonly record struct DbfProgress(DbfStage Stage, int Step, int Steps, double Error);
