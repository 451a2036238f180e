namespace TensorCompress.Tests.TestKit;

/// <summary>Large models, texts and fixtures that live outside the project: in the folder that TENSORCOMPRESS_SHARED names, else in ../shared beside the checkout.</summary>
internal static class SharedData
{
    public static string? Folder { get; } = Find();

    public static string Path(string relative) => System.IO.Path.Combine(
        Folder ?? throw new InvalidOperationException("No shared data: mark the test with SharedFact or SharedTheory."), relative);

    private static string? Find()
    {
        string? named = Environment.GetEnvironmentVariable("TENSORCOMPRESS_SHARED");
        if (!string.IsNullOrEmpty(named)) return Directory.Exists(named) ? System.IO.Path.GetFullPath(named) : null;
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (!File.Exists(System.IO.Path.Combine(folder.FullName, "TensorCompress.sln"))) continue;
            string beside = System.IO.Path.Combine(folder.Parent?.FullName ?? "", "shared");
            return Directory.Exists(System.IO.Path.Combine(beside, "models")) ? beside : null;
        }

        return null;
    }
}

/// <summary>A fact that needs the shared data; without it, it is skipped visibly.</summary>
internal sealed class SharedFactAttribute : FactAttribute
{
    public SharedFactAttribute()
    {
        if (SharedData.Folder is null) Skip = SharedDataReason.Text;
    }
}

/// <summary>A theory that needs the shared data; without it, it is skipped visibly.</summary>
internal sealed class SharedTheoryAttribute : TheoryAttribute
{
    public SharedTheoryAttribute()
    {
        if (SharedData.Folder is null) Skip = SharedDataReason.Text;
    }
}

internal static class SharedDataReason
{
    public const string Text = "needs the shared models and fixtures: set TENSORCOMPRESS_SHARED or put them in ../shared";
}
