using TensorCompress.Tensors;

namespace TensorCompress.Compression.Mpo;

/// <summary>How cores are stored.</summary>
public enum CoreFormat
{
    /// <summary>IEEE 754 binary32.</summary>
    F32,

    /// <summary>IEEE 754 binary16.</summary>
    F16,

    /// <summary>The upper half of a binary32.</summary>
    BF16,

    /// <summary>Codes -127 to 127 with a binary16 scale for every 64 neighbours: 8.25 bits an element.</summary>
    Int8,

    /// <summary>Codes -7 to 7 with a binary16 scale for every 64 neighbours: 4.25 bits an element.</summary>
    Int4,
}

/// <summary>Facts about <see cref="CoreFormat"/>.</summary>
internal static class CoreFormats
{
    /// <summary>Neighbours in the order of the core, [leftBond, output, input, rightBond], that share a scale; the last group may be shorter.</summary>
    public const int Group = 64;

    private static readonly string[] OptionNames = ["f32", "f16", "bf16", "int8", "int4"];

    // Index = (int)CoreFormat: the value of the parameter "type" in files.
    private static readonly string[] TypeNames = ["F32", "F16", "BF16", "INT8", "INT4"];

    /// <summary>All option names, for messages.</summary>
    public static string AllOptionNames => string.Join(", ", OptionNames);

    /// <summary>All names in files, for messages.</summary>
    public static string AllTypeNames => string.Join(", ", TypeNames);

    /// <summary>Whether elements are integer codes with scales.</summary>
    public static bool IsInteger(this CoreFormat format) => format is CoreFormat.Int8 or CoreFormat.Int4;

    /// <summary>The element type of the part that holds the elements or codes.</summary>
    public static ElementType ElementType(this CoreFormat format) => format switch
    {
        CoreFormat.F32 => Tensors.ElementType.F32,
        CoreFormat.F16 => Tensors.ElementType.F16,
        CoreFormat.BF16 => Tensors.ElementType.BF16,
        CoreFormat.Int8 => Tensors.ElementType.I8,
        _ => Tensors.ElementType.U8,
    };

    /// <summary>The largest code; 0 for floats.</summary>
    public static int TopCode(this CoreFormat format) => format switch
    {
        CoreFormat.Int8 => 127,
        CoreFormat.Int4 => 7,
        _ => 0,
    };

    /// <summary>The name on the command line.</summary>
    public static string OptionName(this CoreFormat format) => OptionNames[(int)format];

    /// <summary>The name in files.</summary>
    public static string TypeName(this CoreFormat format) => TypeNames[(int)format];

    /// <summary>Finds a format by its option name.</summary>
    public static bool TryParseOption(string text, out CoreFormat format) => Find(OptionNames, text, out format);

    /// <summary>Finds a format by its name in files.</summary>
    public static bool TryParseType(string text, out CoreFormat format) => Find(TypeNames, text, out format);

    /// <summary>Bytes of the elements or codes of a core, without scales.</summary>
    public static long ValueBytes(this CoreFormat format, long elements) => format == CoreFormat.Int4 ? (elements + 1) / 2 : elements * format.ElementType().BitWidth() / 8;

    /// <summary>Scales of a core; 0 for floats.</summary>
    public static long ScaleCount(this CoreFormat format, long elements) => format.IsInteger() ? (elements + Group - 1) / Group : 0;

    /// <summary>Bytes of all cores with given bonds.</summary>
    public static long ByteLength(this CoreFormat format, SiteFactors factors, IReadOnlyList<int> bonds)
    {
        long bytes = 0;
        for (int k = 0; k < factors.Sites; k++)
        {
            long elements = checked((long)bonds[k] * factors.Outputs[k] * factors.Inputs[k] * bonds[k + 1]);
            bytes = checked(bytes + format.ValueBytes(elements) + 2 * format.ScaleCount(elements));
        }

        return bytes;
    }

    private static bool Find(string[] names, string text, out CoreFormat format)
    {
        int index = Array.IndexOf(names, text);
        format = (CoreFormat)Math.Max(index, 0);
        return index >= 0;
    }
}
