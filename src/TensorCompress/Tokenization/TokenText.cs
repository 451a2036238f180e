namespace TensorCompress.Tokenization;

/// <summary>Turns tokens into the bytes of a text, one after the other.</summary>
internal abstract class TokenText
{
    /// <summary>Takes an id of the vocabulary.</summary>
    public abstract void Append(int id);

    /// <summary>Ends the text.</summary>
    public virtual void Flush()
    {
    }
}
