using TensorCompress.Layers;

namespace TensorCompress.Tests.Layers;

public class RuntimeOptionsTests
{
    [Fact]
    public void Values_that_no_enumeration_has_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new RuntimeOptions { Activations = (ActivationPrecision)2 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new RuntimeOptions { Plan = (RuntimePlan)(-1) });
        Assert.Contains("SignPrecision", Assert.Throws<ArgumentOutOfRangeException>(() => RuntimeOptions.Default with { Signs = (SignPrecision)77 }).Message, StringComparison.Ordinal);
        foreach (SignPrecision precision in Enum.GetValues<SignPrecision>()) Assert.Equal(precision, new RuntimeOptions { Signs = precision }.Signs);
    }
}
