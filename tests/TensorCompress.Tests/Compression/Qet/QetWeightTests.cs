using TensorCompress.Compression.Qet;
using TensorCompress.Tensors;
using TensorCompress.Tests.TestKit;

namespace TensorCompress.Tests.Compression.Qet;

public sealed class QetWeightTests
{
    [Theory]
    [InlineData(11, false, "11-bit numbers, a grid for each stage")]
    [InlineData(7, true, "7-bit numbers, a grid for each group")]
    [InlineData(QetOptions.FloatBits, true, "floats")]
    public void Everything_that_was_chosen_is_told(int bits, bool gridPerGroup, string codebooks)
    {
        using Matrix<float> matrix = RandomMatrices.Gaussian(60, 24);
        var options = new QetOptions(6, [new QetStageOptions(1, 0.5), new QetStageOptions(0, 0.5)], bits, gridPerGroup) { Rotation = QetRotation.Hadamard };
        using var weight = new QetWeight(QetCodec.Compress(matrix.View, QetPlan.WithCentroids(60, 24, [9, 4], options)));
        Assert.Equal($"rotation hadamard; swap layers 1, 0; 6 groups of 4; centroids 9, 4; codebooks of {codebooks}", weight.Choices);
        Dictionary<string, string> facts = weight.Explain().Facts.ToDictionary();
        Assert.Equal(("1, 0", "6 of 4", "9, 4", codebooks), (facts["swap layers"], facts["column groups"], facts["centroids"], facts["codebooks"]));
    }
}
