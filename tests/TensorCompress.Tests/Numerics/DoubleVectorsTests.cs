using TensorCompress.Numerics;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Numerics;

public sealed class DoubleVectorsTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void All_lengths_stay_inside_their_memory_and_match_plain_loops(bool guardAfter)
    {
        for (int length = 0; length <= 130; length++)
        {
            var random = new SeededRandom((ulong)length);
            using var x = new GuardedMemory<double>(length, guardAfter);
            using var y = new GuardedMemory<double>(length, guardAfter);
            using var narrow = new GuardedMemory<float>(length, guardAfter);
            for (int i = 0; i < length; i++)
            {
                x.Span[i] = random.NextGaussian();
                y.Span[i] = random.NextGaussian();
                narrow.Span[i] = (float)random.NextGaussian();
            }

            double[] oldX = x.Span.ToArray(), oldY = y.Span.ToArray();
            Assert.Equal(oldX.Zip(oldY, (a, b) => a * b).Sum(), DoubleVectors.Dot(x.Span, y.Span), 1e-12);

            var rotation = new PlaneRotation(0.6, -0.8, 0.8, 0.6);
            (double normX, double normY) = DoubleVectors.Rotate(x.Span, y.Span, rotation);
            for (int i = 0; i < length; i++)
            {
                Assert.Equal(0.6 * oldX[i] - 0.8 * oldY[i], x.Span[i], 1e-14);
                Assert.Equal(0.8 * oldX[i] + 0.6 * oldY[i], y.Span[i], 1e-14);
            }

            Assert.Equal(x.Span.ToArray().Sum(a => a * a), normX, 1e-11);
            Assert.Equal(y.Span.ToArray().Sum(a => a * a), normY, 1e-11);

            oldY = y.Span.ToArray();
            DoubleVectors.AddScaled(-1.5, x.Span, y.Span);
            DoubleVectors.AddScaled(0.25, narrow.Span, y.Span);
            for (int i = 0; i < length; i++) Assert.Equal(oldY[i] - 1.5 * x.Span[i] + 0.25 * narrow.Span[i], y.Span[i], 1e-13);
        }
    }

    [Fact]
    public void Lengths_that_differ_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => DoubleVectors.Dot(new double[3], new double[4]));
        Assert.Throws<ArgumentOutOfRangeException>(() => DoubleVectors.AddScaled(1, new double[3], new double[4]));
        Assert.Throws<ArgumentOutOfRangeException>(() => DoubleVectors.Rotate(new double[3], new double[4], new PlaneRotation(1, 0, 0, 1)));
    }
}
