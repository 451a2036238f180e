using TensorCompress.Layers;
using TensorCompress.Tensors;
using TensorCompress.Threading;

namespace TensorCompress.Compression.Qet.Rotated;

/// <summary>A rotation of rows, and of what they are multiplied with: products stay what they are.</summary>
internal abstract class RowRotation
{
    /// <summary>Which.</summary>
    public abstract QetRotation Kind { get; }

    /// <summary>Bytes that it takes in a file.</summary>
    public abstract long ByteLength { get; }

    /// <summary>Bytes that it takes in memory now.</summary>
    public virtual long ResidentBytes => ByteLength;

    /// <summary>Multiplications that a vector takes.</summary>
    public abstract long MultiplicationsPerToken { get; }

    /// <summary>The rotation of a plan for the rows that it is for; null for none.</summary>
    /// <param name="values">The rows.</param>
    /// <param name="plan">Their plan.</param>
    /// <param name="pool">Threads; the result does not depend on their number.</param>
    /// <param name="cancellationToken">Looked at within.</param>
    public static RowRotation? Create(MatrixView<float> values, QetPlan plan, ComputePool pool, CancellationToken cancellationToken) => plan.Options.Rotation switch
    {
        QetRotation.Hadamard => new HadamardRotation((int)plan.Columns),
        QetRotation.Learnt => LearntRotation.Learn(values, plan, pool, cancellationToken),
        _ => null,
    };

    /// <summary>Rotates rows in place.</summary>
    public abstract void Rotate(MatrixView<float> rows, ComputePool pool);

    /// <summary>Undoes that, up to rounding; a row becomes the same bits alone and among others.</summary>
    public abstract void Undo(MatrixView<float> rows, ComputePool pool);

    /// <summary>Second moments of columns as those of rotated ones, in place.</summary>
    public abstract void RotateMetric(Matrix<double> metric, ComputePool pool);

    /// <summary>Rotates activations.</summary>
    /// <param name="input">[tokens, columns].</param>
    /// <param name="rotated">As many.</param>
    /// <param name="context">Threads.</param>
    public abstract void Rotate(ActivationBatch input, MatrixView<float> rotated, ComputeContext context);
}
