using TensorCompress.Caching;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Caching;

public class FloatKeyValueCacheTests
{
    [Fact]
    public void What_is_stored_is_read_back_and_survives_growth()
    {
        using var cache = new FloatKeyValueCache(2, 3, 4, 200);
        var source = new FloatSource(5);
        float[] keys = source.Array(200 * 12), values = source.Array(200 * 12);
        foreach (int position in Enumerable.Range(0, 200))
        {
            cache.Reserve(position + 1);
            using Matrix<float> key = new(1, 12, keys.AsSpan(position * 12, 12)), value = new(1, 12, values.AsSpan(position * 12, 12));
            cache.Store(1, position, key.View, value.View);
        }

        for (int head = 0; head < 3; head++)
        {
            for (int position = 0; position < 200; position++)
            {
                FloatBits.AssertEqual(keys.AsSpan(position * 12 + head * 4, 4), cache.Keys(1, head, 200).Row(position), "keys");
                FloatBits.AssertEqual(values.AsSpan(position * 12 + head * 4, 4), cache.Values(1, head, 200).Row(position), "values");
            }
        }

        Assert.Equal(2L * 2 * 200 * 12 * sizeof(float), cache.ResidentBytes);
    }

    [Fact]
    public void Memory_grows_with_the_text_up_to_the_capacity()
    {
        using var cache = new FloatKeyValueCache(1, 1, 1, 1000);
        Assert.Equal(0, cache.ResidentBytes);
        cache.Reserve(1);
        Assert.Equal(64 * 8, cache.ResidentBytes);
        cache.Reserve(65);
        Assert.Equal(128 * 8, cache.ResidentBytes);
        cache.Reserve(1000);
        Assert.Equal(1000 * 8, cache.ResidentBytes);
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Reserve(1001));
    }

    [Fact]
    public void Positions_without_room_are_refused()
    {
        using var cache = new FloatKeyValueCache(1, 1, 4, 100);
        using var row = new Matrix<float>(1, 4);
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Store(0, 0, row.View, row.View));
        cache.Reserve(10);
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Store(0, 64, row.View, row.View));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Keys(0, 1, 1));
    }
}
