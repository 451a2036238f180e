using TensorCompress.Compression.Qet.Rotated;
using TensorCompress.Kernels;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Compression.Qet.Rotated;

public sealed class LearntRotationTests
{
    private const int Columns = 300; // more than a partial sum of a product

    [Fact]
    public void Rows_are_turned_back_alone_as_among_all_by_axes_that_are_made_floats_once()
    {
        LearntRotation rotation = RandomRotation();
        using Matrix<float> rows = RandomMatrices.Gaussian(100, Columns), whole = Copy(rows), alone = Copy(rows), again = Copy(rows);
        rotation.Undo(whole.View, ComputePool.Shared);
        Assert.Equal(rotation.ByteLength, rotation.ResidentBytes);
        using var pool = new ComputePool(3);
        pool.For(alone.Rows, 1, (start, end) =>
        {
            for (nint row = start; row < end; row++) rotation.Undo(alone.RowRange(row, 1), ComputePool.Shared);
        });
        Assert.Equal(3 * rotation.ByteLength, rotation.ResidentBytes); // halves and floats, once
        rotation.Undo(again.View, ComputePool.Shared);
        Assert.Equal(3 * rotation.ByteLength, rotation.ResidentBytes);
        FloatBits.AssertEqual(whole.RowSpan(0, 100), alone.RowSpan(0, 100), "rows alone");
        FloatBits.AssertEqual(whole.RowSpan(0, 100), again.RowSpan(0, 100), "rows by the axes that were kept");
    }

    [Fact]
    public void Turning_back_multiplies_with_the_axes()
    {
        LearntRotation rotation = RandomRotation();
        using Matrix<float> rows = RandomMatrices.Gaussian(2, Columns), turned = Copy(rows), axes = new(Columns, Columns);
        ElementConversion.ToSingle(ElementType.F16, rotation.Stored, axes.RowSpan(0, Columns));
        rotation.Undo(turned.View, ComputePool.Shared);
        for (int k = 0; k < Columns; k++) Assert.Equal(Enumerable.Range(0, Columns).Sum(axis => (double)rows[1, axis] * axes[axis, k]), turned[1, k], 1e-4);
    }

    private static LearntRotation RandomRotation()
    {
        using Matrix<float> axes = RandomMatrices.Gaussian(Columns, Columns, 2, 0.05);
        byte[] stored = new byte[LearntRotation.BytesFor(Columns)];
        ElementConversion.FromSingle(axes.RowSpan(0, Columns), ElementType.F16, stored);
        return LearntRotation.FromStored(Columns, stored, message => throw new InvalidOperationException(message));
    }

    private static Matrix<float> Copy(Matrix<float> source) => new(source.Rows, source.Columns, source.RowSpan(0, source.Rows));
}
