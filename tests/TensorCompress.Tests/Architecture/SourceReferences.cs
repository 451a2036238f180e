using System.Text.RegularExpressions;

namespace TensorCompress.Tests.Architecture;

/// <summary>Which folders of the library a C# file refers to, read from its text.</summary>
internal static partial class SourceReferences
{
    /// <summary>The folders of src/TensorCompress, each of which may use those that follow it.</summary>
    public static readonly string[] Order =
    [
        "Pipeline", "Planning", "Training", "Evaluation", "Calibration", "Inference", "Models", "Caching", "Compression", "Layers", "Tokenization",
        "Templates", "Storage", "Numerics", "Threading", "Kernels", "Interop", "Tensors",
    ];

    /// <summary>The namespaces that code refers to, without the leading <c>TensorCompress.</c>: by a using line, in full, or from the root namespace (<c>Kernels.Softmax</c>).</summary>
    public static IReadOnlyCollection<string> Of(string text)
    {
        string code = CommentsAndStrings().Replace(text, " ");
        var found = new SortedSet<string>(StringComparer.Ordinal);
        foreach (Match match in FullName().Matches(NamespaceLine().Replace(code, " "))) found.Add(match.Groups[1].Value);
        foreach (Match match in PartialName().Matches(code))
        {
            string name = match.Groups[1].Value;
            string folder = name.Split('.')[0];
            // A member that has a folder's name is not the folder.
            if (Order.Contains(folder) && !Regex.IsMatch(code, $@"[\w>\])?]\s+{folder}\s*(\{{|=|,|\)|;|\()")) found.Add(name);
        }

        return found;
    }

    /// <summary>What is wrong with the references of a file, in words; nothing for a file that only looks down.</summary>
    /// <param name="folder">The file's folder below src/TensorCompress, with forward slashes.</param>
    /// <param name="text">The file's text.</param>
    public static IEnumerable<string> Faults(string folder, string text)
    {
        string[] own = folder.Split('/');
        int level = Array.IndexOf(Order, own[0]);
        if (level < 0)
        {
            yield return $"the folder {own[0]} has no place in the order of folders";
            yield break;
        }

        foreach (string reference in Of(text))
        {
            string[] parts = reference.Split('.');
            int other = Array.IndexOf(Order, parts[0]);
            if (other < 0) continue;
            if (other < level) yield return $"{own[0]} refers upwards to {reference}";
            bool sibling = own[0] == "Compression" && parts[0] == "Compression" && own.Length > 1 && parts.Length > 1
                && own[1] != "Sum" && parts[1] != own[1] && Directory.Exists(Repository.PathOf("src/TensorCompress/Compression/" + parts[1]));
            if (sibling) yield return $"the method {own[1]} refers to {reference}: methods do not see each other";
        }
    }

    [GeneratedRegex("""//[^\n]*|/\*.*?\*/|\"{3}.*?\"{3}|@"(?:[^"]|"")*"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""", RegexOptions.Singleline)]
    private static partial Regex CommentsAndStrings();

    [GeneratedRegex(@"^\s*namespace\s+[\w.]+", RegexOptions.Multiline)]
    private static partial Regex NamespaceLine();

    [GeneratedRegex(@"\bTensorCompress\.([A-Z]\w*(?:\.[A-Z]\w*)*)")]
    private static partial Regex FullName();

    [GeneratedRegex(@"(?<![\w.])([A-Z]\w*\.[A-Z]\w*)")]
    private static partial Regex PartialName();
}
