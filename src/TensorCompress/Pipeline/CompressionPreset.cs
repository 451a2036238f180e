using TensorCompress.Compression;
using TensorCompress.Compression.Dbf;
using TensorCompress.Compression.Scalar;
using TensorCompress.Models;

namespace TensorCompress.Pipeline;

/// <summary>Methods that go together under one name: one for the matrices of the blocks, whose options are free, and one for embedding and head.</summary>
public sealed class CompressionPreset
{
    private CompressionPreset(string name, string description, ICompressionMethod method, MethodOptions head) => (Name, Description, Method, Head) = (name, description, method, head);

    /// <summary>
    /// Double binary factorisations in the blocks, codes of 4 bits for embedding and head: at one or two bits per weight of the blocks an embedding of 8 or 16 bits is most of a small model's bytes, and what
    /// codes of 4 bits lose is small beside the loss of the blocks.
    /// </summary>
    public static CompressionPreset Dbf { get; } = new("dbf", "signs in the blocks, 4-bit codes for embedding and head", DbfMethod.Instance, new ScalarOptions(bits: 4));

    /// <summary>The one list of presets; tool and tests read it.</summary>
    public static IReadOnlyList<CompressionPreset> All { get; } = [Dbf];

    /// <summary>The name on the command line.</summary>
    public string Name { get; }

    /// <summary>One line for people.</summary>
    public string Description { get; }

    /// <summary>The method of the blocks.</summary>
    public ICompressionMethod Method { get; }

    /// <summary>Method and options of embedding and head where none are given.</summary>
    public MethodOptions Head { get; }

    /// <summary>Finds a preset by its name.</summary>
    /// <exception cref="NotSupportedException">There is none of that name; the message lists what there is.</exception>
    public static CompressionPreset Get(string name) => All.FirstOrDefault(preset => preset.Name == name)
        ?? throw new NotSupportedException($"There is no preset \"{name}\"; there are {string.Join(", ", All.Select(preset => preset.Name))}.");

    /// <summary>The recipe for a model.</summary>
    /// <param name="definition">The model.</param>
    /// <param name="options">Options of the blocks' method.</param>
    /// <param name="head">Method and options of embedding and head; null for <see cref="Head"/>.</param>
    /// <param name="isJoint">Whether layers of the blocks with the same input are compressed as one matrix (<see cref="RecipeRule.IsJoint"/>).</param>
    /// <exception cref="ArgumentException">The options are those of another method.</exception>
    public CompressionRecipe Recipe(ModelDefinition definition, MethodOptions options, MethodOptions? head = null, bool isJoint = false)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Method != Method) throw new ArgumentException($"The preset {Name} takes options of {Method.Name}, not of {options.Method.Name}.", nameof(options));
        return CompressionRecipes.ForBlocks(definition, options, head ?? Head, isJoint);
    }
}
