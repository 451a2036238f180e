using TensorCompress.Compression;
using TensorCompress.Models;

namespace TensorCompress.Pipeline;

/// <summary>Makes recipes for models.</summary>
public static class CompressionRecipes
{
    /// <summary>One method for all matrices of the blocks, and optionally one for embedding and head.</summary>
    /// <param name="definition">The model.</param>
    /// <param name="options">Method and options of the blocks.</param>
    /// <param name="head">Method and options of embedding and head; null leaves them as they are.</param>
    /// <param name="isJoint">Whether layers of the blocks with the same input are compressed as one matrix (<see cref="RecipeRule.IsJoint"/>).</param>
    public static CompressionRecipe ForBlocks(ModelDefinition definition, MethodOptions options, MethodOptions? head = null, bool isJoint = false)
    {
        ArgumentNullException.ThrowIfNull(definition);
        ArgumentNullException.ThrowIfNull(options);
        string first = definition.Blocks[0].Attention.Output.Name;
        string blocks = first[..first.IndexOf(".0.", StringComparison.Ordinal)] + ".*";
        List<RecipeRule> rules = [new RecipeRule(blocks, options) { IsJoint = isJoint }];
        if (head is not null)
        {
            rules.Add(new RecipeRule(definition.TokenEmbedding.Name, head));
            if (definition.Head is not null) rules.Add(new RecipeRule(definition.Head.Name, head));
        }

        return new CompressionRecipe(rules);
    }
}
