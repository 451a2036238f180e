namespace TensorCompress.Models;

/// <summary>A file that travels with a model: tokenizer, chat template, generation settings.</summary>
/// <param name="Name">Path below the checkpoint folder.</param>
/// <param name="WriteTo">Writes its bytes.</param>
public sealed record CompanionFile(string Name, Action<Stream> WriteTo)
{
    /// <summary>Its bytes.</summary>
    internal byte[] ReadAll()
    {
        using var content = new MemoryStream();
        WriteTo(content);
        return content.ToArray();
    }
}
