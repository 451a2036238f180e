using TensorCompress.Layers;
using TensorCompress.Threading;

namespace TensorCompress.Tests.Layers;

public class ComputeContextTests
{
    [Fact]
    public void Leases_do_not_overlap_and_are_used_again()
    {
        using var pool = new ComputePool(1);
        using var context = new ComputeContext(pool);
        long held = 0;
        for (int round = 0; round < 5; round++)
        {
            using ScratchLease a = context.Rent(3, 1000), b = context.Rent(200, 2000), c = context.Rent(1, 7);
            Fill(a, 1);
            Fill(b, 2);
            Fill(c, 3);
            AssertAll(a, 1);
            AssertAll(b, 2);
            AssertAll(c, 3);
            if (round == 0) held = context.ScratchBytes;
            Assert.Equal(held, context.ScratchBytes);
        }
    }

    [Fact]
    public void A_lease_starts_on_a_cache_line_and_may_be_empty()
    {
        using var pool = new ComputePool(1);
        using var context = new ComputeContext(pool);
        using ScratchLease a = context.Rent(1, 5), empty = context.Rent(0, 9), b = context.Rent(2, 33);
        Assert.Equal(0, empty.View.Rows);
        Assert.Equal(0, Address(a) % 64);
        Assert.Equal(0, Address(b) % 64);
        Assert.True(Address(b) >= Address(a) + 64);
    }

    [Fact]
    public void Disposal_frees_the_memory()
    {
        using var pool = new ComputePool(1);
        var context = new ComputeContext(pool);
        context.Rent(10, 10).Dispose();
        Assert.True(context.ScratchBytes > 0);
        context.Dispose();
        Assert.Equal(0, context.ScratchBytes);
    }

    private static unsafe nint Address(ScratchLease lease) => (nint)lease.View.Pointer;

    private static void Fill(ScratchLease lease, float value)
    {
        for (nint row = 0; row < lease.View.Rows; row++) lease.View.Row(row).Fill(value);
    }

    private static void AssertAll(ScratchLease lease, float value)
    {
        for (nint row = 0; row < lease.View.Rows; row++) Assert.False(lease.View.Row(row).ContainsAnyExcept(value));
    }
}
