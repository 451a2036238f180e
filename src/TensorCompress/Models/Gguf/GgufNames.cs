namespace TensorCompress.Models.Gguf;

/// <summary>How a tensor's values lie in a GGUF file, seen from Hugging Face.</summary>
internal enum GgufLayout
{
    AsIs,

    /// <summary>Rows of each query head are stored for neighbouring-pair rotary embedding.</summary>
    QueryRows,

    /// <summary>Rows of each key head likewise.</summary>
    KeyRows,

    /// <summary>The gain is stored as the factor itself, 1 + w.</summary>
    GainPlusOne,

    /// <summary>The matrix is stored as [output, input], the checkpoint has [input, output].</summary>
    Transposed,

    /// <summary>Rows are stored as all queries, all keys, all values; the checkpoint has them head by head.</summary>
    PartsTogether,
}

/// <summary>A tensor's names without <c>.weight</c> and <c>.bias</c>.</summary>
/// <param name="Gguf">Its GGUF name.</param>
/// <param name="HuggingFace">Its name in checkpoints.</param>
/// <param name="Layout">How its values lie in the file.</param>
internal sealed record GgufName(string Gguf, string HuggingFace, GgufLayout Layout = GgufLayout.AsIs);

/// <summary>The names of an architecture's tensors in both worlds.</summary>
/// <param name="blockPrefix">What stands before the block's number in checkpoints; in GGUF it is <c>blk.</c>.</param>
/// <param name="top">Tensors outside the blocks.</param>
/// <param name="block">Tensors of each block.</param>
/// <param name="root">What some checkpoints leave out at the beginning of all names.</param>
internal sealed class GgufNames(string blockPrefix, GgufName[] top, GgufName[] block, string root = "")
{
    private const string GgufBlockPrefix = "blk.";

    /// <summary>The names of a GGUF tensor, complete, or null for one that the architecture does not know.</summary>
    public GgufName? FromGguf(string name) => Find(name, GgufBlockPrefix, known => known.Gguf);

    /// <summary>The names of a checkpoint's tensor, complete, or null for one that the architecture does not know.</summary>
    public GgufName? FromHuggingFace(string name) =>
        Find(name, blockPrefix, known => known.HuggingFace) ?? (root.Length == 0 ? null : Find(root + name, blockPrefix, known => known.HuggingFace));

    private GgufName? Find(string name, string prefix, Func<GgufName, string> key)
    {
        int dot = name.LastIndexOf('.');
        if (dot < 0) return null;
        (string stem, string suffix) = (name[..dot], name[dot..]);
        string number = "";
        if (stem.StartsWith(prefix, StringComparison.Ordinal))
        {
            string rest = stem[prefix.Length..];
            int end = rest.IndexOf('.');
            if (end <= 0 || rest.AsSpan(0, end).ContainsAnyExceptInRange('0', '9')) return null;
            (number, stem) = (rest[..end], rest[(end + 1)..]);
        }

        GgufName? found = (number.Length == 0 ? top : block).FirstOrDefault(known => key(known) == stem);
        if (found is null) return null;
        (string gguf, string own) = number.Length == 0 ? ("", "") : ($"{GgufBlockPrefix}{number}.", $"{blockPrefix}{number}.");
        return new GgufName(gguf + found.Gguf + suffix, own + found.HuggingFace + suffix, found.Layout);
    }
}
