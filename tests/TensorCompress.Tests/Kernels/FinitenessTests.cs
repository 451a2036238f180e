using TensorCompress.Kernels;
using TensorCompress.Kernels.Simd;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Kernels;

public class FinitenessTests
{
    private delegate bool Look(ReadOnlySpan<float> values);

    private static readonly Widths<Look> Looks = new(Finiteness.Core<Simd512>, Finiteness.Core<Simd256>, Finiteness.Core<Simd128>, Finiteness.Core<SimdScalar>);

    [Fact]
    public void One_value_that_is_no_number_is_found_wherever_it_stands()
    {
        for (int length = 0; length <= 70; length++)
        {
            float[] values = new FloatSource(length).Array(length, float.MaxValue);
            foreach ((string width, Look look) in Looks.All)
            {
                Assert.True(look(values), $"{length} at {width}");
                for (int at = 0; at < length; at++)
                {
                    foreach (float bad in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
                    {
                        float kept = values[at];
                        values[at] = bad;
                        Assert.False(look(values), $"{bad} at {at} of {length} at {width}");
                        values[at] = kept;
                    }
                }
            }
        }
    }
}
