namespace TensorCompress.Tests.TestKit;

/// <summary>Tests that measure time or use hundreds of megabytes: run alone, after the others.</summary>
[CollectionDefinition(nameof(TimedTests), DisableParallelization = true)]
public sealed class TimedTests;
