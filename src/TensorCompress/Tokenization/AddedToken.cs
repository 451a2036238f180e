namespace TensorCompress.Tokenization;

/// <summary>A token that is looked for in the text itself, before any word is cut and merged.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text; not empty.</param>
/// <param name="IsSpecial">Whether it is a control token: parsed only where <see cref="EncodeOptions.ParseSpecialTokens"/> says so, and no part of the decoded text. Others are always parsed.</param>
/// <param name="IsNormalized">Whether it is looked for after the tokens that are not, in what they leave.</param>
/// <param name="StripsLeft">Whether it swallows white space before it.</param>
/// <param name="StripsRight">Whether it swallows white space after it.</param>
/// <param name="IsSingleWord">Whether it is found only where no letter, digit or underscore touches it.</param>
public sealed record AddedToken(int Id, string Content, bool IsSpecial, bool IsNormalized = false, bool StripsLeft = false, bool StripsRight = false, bool IsSingleWord = false);
